"""Errors with one part of the method changed at a time: layer, atom kernel, lengthscale,
aggregation over atoms, λ.

in:   results/kernels/…, results/features/…
out:  results/ablation/{dataset}/{backbone}.csv
      results/tables/ablation.*
"""


rule ablation:
    """All changes on one data set and backbone, with a Gram matrix for each new kernel."""
    input:
        kernels=[
            f"results/kernels/{{dataset}}/{split}/{{backbone}}.safetensors"
            for split in ABLATION_SPLITS
        ],
        splits=[f"results/data/{{dataset}}/splits/{split}.csv" for split in ABLATION_SPLITS],
        features="results/features/{dataset}/{backbone}.safetensors",
        frames="results/data/{dataset}/frames.csv",
        code=code("ablation"),
    output:
        errors="results/ablation/{dataset}/{backbone}.csv",
    log:
        "results/logs/ablation/{dataset}/{backbone}.log",
    benchmark:
        "results/benchmarks/ablation/{dataset}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=baselines_memory,
        runtime=ablation_minutes,
    params:
        seeds=ABLATION_SEEDS,
        lengthscales=config["ablation"]["lengthscales"],
        grid=config["grid"],
        reference_energy=reference_energy,
    script:
        "../scripts/ablation.py"


rule ablation_table:
    """All ablations, over seeds."""
    input:
        errors=study_ablations(),
        code=code("ablation_table"),
    output:
        csv="results/tables/ablation.csv",
        latex="results/tables/ablation.tex",
        markdown="results/tables/ablation.md",
        html=report(
            "results/tables/ablation.html",
            caption="../report/ablation.rst",
            category="1 Tables",
            labels={"table": "Ablations"},
        ),
    log:
        "results/logs/ablation_table.log",
    benchmark:
        "results/benchmarks/ablation_table.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        split=config["ablation"]["split"],
        datasets=study_datasets(),
        backbones=study_backbones(),
    script:
        "../scripts/ablation_table.py"
