"""Test error against the number of training frames.

in:   results/kernels/…, results/features/…
out:  results/learning/{dataset}/{strategy}-{seed}/{backbone}.csv
      results/tables/learning.csv
      results/figures/learning.{svg,pdf,png}
"""


rule learning_kernels:
    """Ridge regression, MEKRR, MEKRR-α and Δ-MEKRR on nested subsets of the training frames."""
    input:
        kernels="results/kernels/{dataset}/{strategy}-{seed}/{backbone}.safetensors",
        features="results/features/{dataset}/{backbone}.safetensors",
        frames="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("learning_kernels"),
    output:
        errors="results/learning/{dataset}/{strategy}-{seed}/{backbone}.csv",
    log:
        "results/logs/learning_kernels/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/learning_kernels/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.baselines_memory,
        runtime=resources.fit_minutes,
    params:
        n_train=CONFIG.learning.n_train,
        grid=CONFIG.grid.given(),
        reference_energy=entries.reference_energy,
    script:
        "../scripts/learning_kernels.py"
