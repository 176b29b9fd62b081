"""Errors with one part of the method changed at a time: layer, atom kernel, lengthscale,
aggregation over atoms, λ.

in:   results/kernels/…, results/features/…
out:  results/ablation/{dataset}/{backbone}.csv
      results/tables/ablation.*
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
