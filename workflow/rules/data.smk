"""Raw frames to checked frames and splits.

in:   the trajectory named in the registry of data sets
out:  results/data/{dataset}/frames.extxyz, frames.csv
      results/data/{dataset}/splits/{strategy}-{seed}.csv
      results/data/{dataset}/variables.csv, leaks.csv, checks.csv
"""


rule check_frames:
    """Read a trajectory, refuse it with a reason or write it in one form."""
    input:
        trajectories=targets.dataset_files,
        code=code("check_frames"),
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
        mem_mb=resources.checking_memory,
        runtime=resources.frames_minutes,
    params:
        files=entries.files,
        sha256=entries.file_sha256,
        dataset=entries.expected,
        reading=entries.reading,
        every=STUDY.every,
        large=CONFIG.large.above,
    script:
        "../scripts/check_frames.py"


rule split:
    """Divide the frames into train, val and test."""
    input:
        table="results/data/{dataset}/frames.csv",
        code=code("split"),
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
        fractions=CONFIG.split.fractions.given(),
    script:
        "../scripts/split.py"


rule collective_variables:
    """The collective variables of every frame."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        code=code("collective_variables"),
    output:
        values="results/data/{dataset}/variables.csv",
    log:
        "results/logs/collective_variables/{dataset}.log",
    benchmark:
        "results/benchmarks/collective_variables/{dataset}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.frames_memory,
        runtime=resources.frames_minutes,
    params:
        variables=entries.variables,
    script:
        "../scripts/collective_variables.py"


rule leaks:
    """How far every test frame is from the training frames, for every split."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        splits=targets.splits("results/data/{dataset}/splits/{strategy}-{seed}.csv"),
        code=code("leaks"),
    output:
        leaks="results/data/{dataset}/leaks.csv",
    log:
        "results/logs/leaks/{dataset}.log",
    benchmark:
        "results/benchmarks/leaks/{dataset}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.checking_memory,
        runtime=resources.frames_minutes,
    script:
        "../scripts/leaks.py"


rule check_dataset:
    """Repeats, leaks, outliers, units, forces against energies, undetermined references."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        leaks="results/data/{dataset}/leaks.csv",
        splits=targets.splits("results/data/{dataset}/splits/{strategy}-{seed}.csv"),
        targets=targets.transfer_frames,
        code=code("check_dataset"),
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
        mem_mb=resources.checking_memory,
        runtime=resources.frames_minutes,
    params:
        dataset=entries.checked,
    script:
        "../scripts/check_dataset.py"
