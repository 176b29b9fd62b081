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
        runs=surrogate_runs,
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
        collect("results/surrogates/{surrogate}.extxyz.gz", surrogate=config["surrogates"]),


rule dynamics:
    """Temperature, energy, bond and excursions in every frame of a surrogate."""
    input:
        trajectories=dataset_files,
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
        mem_mb=frames_memory,
        runtime=frames_minutes,
    params:
        recipe=lookup(within=config, dpath="surrogates/{dataset}"),
        variables=collective_variables,
    script:
        "../scripts/dynamics.py"


rule dynamics_table:
    """The dynamics behind the surrogates of the study, run by run."""
    input:
        summaries=collect("results/data/{dataset}/dynamics-by-run.csv", dataset=STUDY_SURROGATES),
        code=code("dynamics_table"),
    output:
        csv="results/tables/dynamics.csv",
        markdown="results/tables/dynamics.md",
        html=report(
            "results/tables/dynamics.html",
            caption="../report/dynamics.rst",
            category="3 Data",
            labels={"table": "Dynamics behind the surrogates"},
        ),
    log:
        "results/logs/dynamics_table.log",
    benchmark:
        "results/benchmarks/dynamics_table.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    script:
        "../scripts/dynamics_table.py"


rule fig_dynamics:
    """Bond, temperature, energy and excursions along every run of a surrogate."""
    input:
        facts="results/data/{dataset}/dynamics.csv",
        code=code("fig_dynamics"),
    output:
        report(
            "results/figures/{dataset}/dynamics.svg",
            caption="../report/dynamics.rst",
            category="2 Figures",
            labels=figure_labels("Dynamics behind the surrogate"),
        ),
        figure_files("results/figures/{dataset}/dynamics"),
    log:
        "results/logs/fig_dynamics/{dataset}.log",
    benchmark:
        "results/benchmarks/fig_dynamics/{dataset}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        dataset=dataset_entry,
        recipe=lookup(within=config, dpath="surrogates/{dataset}"),
    script:
        "../scripts/fig_dynamics.py"
