"""Kernels to fitted predictions, one job per data set, split, seed and backbone.

α, λ and the layer are chosen on validation frames inside the job.

in:   results/kernels/… and results/features/…
out:  results/fits/{dataset}/{strategy}-{seed}/{backbone}/{mekrr,baselines}.*.csv
      results/fits/{dataset}/{strategy}-{seed}/training-mean/*.csv
      results/tables/calibration.csv, reliability.csv
"""


rule fit_mekrr:
    """MEKRR (α = 0), MEKRR-α (α tuned) and their extensions on every layer: chosen by
    leave-one-out, α per species, and on what the network's own energy leaves."""
    input:
        kernels="results/kernels/{dataset}/{strategy}-{seed}/{backbone}.safetensors",
        features="results/features/{dataset}/{backbone}.safetensors",
        frames="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("fit_mekrr"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/{backbone}/mekrr.predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/{backbone}/mekrr.choices.csv",
        sweep="results/fits/{dataset}/{strategy}-{seed}/{backbone}/mekrr.sweep.csv",
    log:
        "results/logs/fit_mekrr/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/fit_mekrr/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: resources.fit_threads
    resources:
        mem_mb=resources.fit_memory,
        runtime=resources.fit_minutes,
    params:
        grid=CONFIG.grid.given(),
        reference_energy=entries.reference_energy,
    script:
        "../scripts/fit_mekrr.py"


rule fit_baselines:
    """Ridge regression on mean features (the linear kernel), and the untouched network."""
    input:
        features="results/features/{dataset}/{backbone}.safetensors",
        frames="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("fit_baselines"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/{backbone}/baselines.predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/{backbone}/baselines.choices.csv",
    log:
        "results/logs/fit_baselines/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/fit_baselines/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.baselines_memory,
        runtime=resources.fit_minutes,
    params:
        layers=entries.layers,
        grid=CONFIG.grid.given(),
        reference_energy=entries.reference_energy,
    script:
        "../scripts/fit_baselines.py"


rule fit_mean:
    """The mean training energy per atom: what a method must beat to be of any use."""
    input:
        frames="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("fit_mean"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/training-mean/predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/training-mean/choices.csv",
    log:
        "results/logs/fit_mean/{dataset}/{strategy}-{seed}.log",
    benchmark:
        "results/benchmarks/fit_mean/{dataset}/{strategy}-{seed}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        reference_energy=entries.reference_energy,
    script:
        "../scripts/fit_mean.py"


rule fits:
    """All fits of the study."""
    input:
        targets.all_fits("predictions"),
