"""Raw frames to checked frames and splits.

in:   the trajectory named in the registry of data sets
out:  results/data/{dataset}/frames.extxyz, frames.csv
      results/data/{dataset}/splits/{strategy}-{seed}.csv
      results/data/{dataset}/checks.csv
"""


rule check_frames:
    """Read a trajectory, refuse it with a reason or write it in one form."""
    input:
        trajectories=dataset_files,
        code=code("data/frames.py"),
    output:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
    log:
        "results/logs/check_frames/{dataset}.log",
    benchmark:
        "results/benchmarks/check_frames/{dataset}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        sha256=trajectory_sha256,
        dataset=source_entry,
    script:
        "../scripts/check_frames.py"


rule split:
    """Divide the frames into train, val and test."""
    input:
        table="results/data/{dataset}/frames.csv",
        code=code("data/splits.py"),
    output:
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
    log:
        "results/logs/split/{dataset}/{strategy}-{seed}.log",
    benchmark:
        "results/benchmarks/split/{dataset}/{strategy}-{seed}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        fractions=config["split"]["fractions"],
    script:
        "../scripts/split.py"


rule check_dataset:
    """Repeats, leaks between the parts of every split, outliers, forces against energies."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        splits=study_splits("results/data/{dataset}/splits/{strategy}-{seed}.csv"),
        code=code("data/checks.py"),
    output:
        checks="results/data/{dataset}/checks.csv",
    log:
        "results/logs/check_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/check_dataset/{dataset}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    script:
        "../scripts/check_dataset.py"
