"""Surrogate data sets: their making, on demand only (`make surrogates`), and their physics.

in:   a recipe of config/surrogates.yaml
out:  results/surrogates/{surrogate}.extxyz.gz, to be copied to workflow/resources/

in:   the product that the registry of data sets names
out:  results/data/{dataset}/dynamics.csv, results/figures/{dataset}/dynamics.*
      results/tables/dynamics.*
"""


rule surrogate_run:
    """One run of biased Langevin dynamics with DIEP, whose weights are in its package."""
    input:
        code=code("surrogate_run"),
    output:
        run=temp("results/surrogates/{surrogate}/run{number}.extxyz"),
    log:
        "results/logs/surrogate_run/{surrogate}/{number}.log",
    benchmark:
        "results/benchmarks/surrogate_run/{surrogate}/{number}.tsv"
    wildcard_constraints:
        number=r"\d+",
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        recipe=lookup(within=config, dpath="surrogates/{surrogate}"),
    script:
        "../scripts/surrogate_run.py"


rule surrogate:
    """The runs of a surrogate in one compressed file."""
    input:
        runs=targets.surrogate_runs,
    output:
        frames="results/surrogates/{surrogate}.extxyz.gz",
    log:
        "results/logs/surrogate/{surrogate}.log",
    benchmark:
        "results/benchmarks/surrogate/{surrogate}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    script:
        "../scripts/surrogate.py"


rule surrogates:
    """All surrogates."""
    input:
        collect("results/surrogates/{surrogate}.extxyz.gz", surrogate=CONFIG.surrogates),


rule dynamics:
    """Temperature, energy, bond and excursions in every frame of a surrogate."""
    input:
        trajectories=targets.dataset_files,
        code=code("dynamics"),
    output:
        facts="results/data/{dataset}/dynamics.csv",
        summary="results/data/{dataset}/dynamics-by-run.csv",
    log:
        "results/logs/dynamics/{dataset}.log",
    benchmark:
        "results/benchmarks/dynamics/{dataset}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.frames_memory,
        runtime=resources.frames_minutes,
    params:
        recipe=lookup(within=config, dpath="surrogates/{dataset}"),
        variables=entries.variables,
    script:
        "../scripts/dynamics.py"
