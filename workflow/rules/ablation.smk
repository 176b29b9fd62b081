"""Errors with one part of the method changed at a time: layer, atom kernel, lengthscale,
aggregation over atoms, λ; of sparse models metric, layers, atom kernel, α, directions, inducing
atoms.

in:   results/kernels/…, results/features/…, results/directions/…
out:  results/ablation/{dataset}/{backbone}.csv, {backbone}/sparse.csv
      results/tables/ablation.*, ablation_sparse.*
"""


rule ablation:
    """All changes on one data set and backbone, with a Gram matrix for each new kernel."""
    input:
        kernels=targets.ablation_splits("results/kernels/{dataset}/{split}/{backbone}.safetensors"),
        splits=targets.ablation_splits("results/data/{dataset}/splits/{split}.csv"),
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
        mem_mb=resources.baselines_memory,
        runtime=resources.ablation_minutes,
    params:
        seeds=CONFIG.ablation.seeds,
        lengthscales=CONFIG.ablation.lengthscales,
        methods=entries.recipes("ablation"),
        grid=CONFIG.grid.given(),
        reference_energy=entries.reference_energy,
    script:
        "../scripts/ablation.py"


rule ablation_sparse:
    """All changes of sparse models that learn forces, on features and derivatives that are there."""
    input:
        splits=targets.ablation_splits("results/data/{dataset}/splits/{split}.csv"),
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        features="results/features/{dataset}/{backbone}.safetensors",
        directions="results/directions/{dataset}/{backbone}.safetensors",
        code=code("ablation_sparse"),
    output:
        errors="results/ablation/{dataset}/{backbone}/sparse.csv",
    log:
        "results/logs/ablation_sparse/{dataset}/{backbone}.log",
    benchmark:
        "results/benchmarks/ablation_sparse/{dataset}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.ablation_sparse_memory,
        runtime=resources.ablation_sparse_minutes,
    params:
        seeds=CONFIG.ablation.seeds,
        methods=entries.recipes("ablation_sparse"),
        sparse=entries.sparse,
        reference_energy=entries.reference_energy,
    script:
        "../scripts/ablation_sparse.py"
