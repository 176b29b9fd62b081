"""Energies to GAP-SOAP potentials by gap_fit, and what these predict.

in:   results/data/{dataset}/frames.extxyz, frames.csv, a split
out:  results/fits/{dataset}/{strategy}-{seed}/gap-soap/{predictions,choices,costs}.csv, model.tar.gz
      results/transfer/{source}-to-{target}/{strategy}-{seed}/gap-soap.predictions.csv
"""


rule fit_gap:
    """A potential fitted to the training energies, and its predictions on all frames."""
    input:
        trajectory="results/data/{dataset}/frames.extxyz",
        frames="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("fit_gap"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/gap-soap/predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/gap-soap/choices.csv",
        costs="results/fits/{dataset}/{strategy}-{seed}/gap-soap/costs.csv",
        model="results/fits/{dataset}/{strategy}-{seed}/gap-soap/model.tar.gz",
    log:
        job="results/logs/fit_gap/{dataset}/{strategy}-{seed}.log",
        gap_fit="results/logs/fit_gap/{dataset}/{strategy}-{seed}.gap_fit.log",
    benchmark:
        "results/benchmarks/fit_gap/{dataset}/{strategy}-{seed}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1  # the wheels of quippy-ase are built without OpenMP
    resources:
        mem_mb=resources.gap_memory,
        runtime=resources.gap_minutes,
    params:
        settings=CONFIG.gap.given(),
        reference_energy=entries.reference_energy,
    script:
        "../scripts/fit_gap.py"


rule transfer_gap:
    """The source's potential on the target's test frames."""
    input:
        model="results/fits/{source}/{strategy}-{seed}/gap-soap/model.tar.gz",
        source_frames="results/data/{source}/frames.csv",
        source_split="results/data/{source}/splits/{strategy}-{seed}.csv",
        target_trajectory="results/data/{target}/frames.extxyz",
        target_frames="results/data/{target}/frames.csv",
        target_split="results/data/{target}/splits/{strategy}-{seed}.csv",
        code=code("transfer_gap"),
    output:
        predictions="results/transfer/{source}-to-{target}/{strategy}-{seed}/gap-soap.predictions.csv",
    log:
        "results/logs/transfer_gap/{source}-to-{target}/{strategy}-{seed}.log",
    benchmark:
        "results/benchmarks/transfer_gap/{source}-to-{target}/{strategy}-{seed}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.gap_memory,
        runtime=resources.gap_minutes,
    params:
        reference_energy=entries.reference_energy,
    script:
        "../scripts/transfer_gap.py"
