"""Surrogate data sets made by this project; run only on demand (`make surrogates`).

in:   a recipe of config/surrogates.yaml
out:  results/surrogates/{surrogate}.extxyz.gz, to be copied to workflow/resources/
"""


rule surrogate_run:
    """One run of Langevin dynamics with DIEP; the potential's weights are in its package."""
    input:
        code=code("surrogates/fe_n2.py"),
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
