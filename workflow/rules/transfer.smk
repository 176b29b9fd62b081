"""Fits on one data set to predictions on another, zero-shot: nothing is chosen on the target.

in:   results/features/…, choices of the fits on the source, splits of both data sets
out:  results/transfer/{source}-to-{target}/{strategy}-{seed}/{backbone}.predictions.csv
      results/transfer/{source}-to-{target}/{strategy}-{seed}/training-mean.predictions.csv
"""


rule transfer_mekrr:
    """Every method on frozen features, with the layer and hyper-parameters of the source."""
    input:
        source_features="results/features/{source}/{backbone}.safetensors",
        source_frames="results/data/{source}/frames.csv",
        source_split="results/data/{source}/splits/{strategy}-{seed}.csv",
        target_features="results/features/{target}/{backbone}.safetensors",
        target_frames="results/data/{target}/frames.csv",
        target_split="results/data/{target}/splits/{strategy}-{seed}.csv",
        choices=[
            "results/fits/{source}/{strategy}-{seed}/{backbone}/baselines.choices.csv",
            "results/fits/{source}/{strategy}-{seed}/{backbone}/mekrr.choices.csv",
        ],
        code=code("transfer_mekrr"),
    output:
        predictions="results/transfer/{source}-to-{target}/{strategy}-{seed}/{backbone}.predictions.csv",
    log:
        "results/logs/transfer_mekrr/{source}-to-{target}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/transfer_mekrr/{source}-to-{target}/{strategy}-{seed}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.baselines_memory,
        runtime=resources.fit_minutes,
    params:
        reference_energy=entries.reference_energy,
    script:
        "../scripts/transfer_mekrr.py"


rule transfer_mean:
    """The source's mean training energy per atom, beyond its reference energies."""
    input:
        source_frames="results/data/{source}/frames.csv",
        source_split="results/data/{source}/splits/{strategy}-{seed}.csv",
        target_frames="results/data/{target}/frames.csv",
        target_split="results/data/{target}/splits/{strategy}-{seed}.csv",
        choices=["results/fits/{source}/{strategy}-{seed}/training-mean/choices.csv"],
        code=code("transfer_mean"),
    output:
        predictions="results/transfer/{source}-to-{target}/{strategy}-{seed}/training-mean.predictions.csv",
    log:
        "results/logs/transfer_mean/{source}-to-{target}/{strategy}-{seed}.log",
    benchmark:
        "results/benchmarks/transfer_mean/{source}-to-{target}/{strategy}-{seed}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        reference_energy=entries.reference_energy,
    script:
        "../scripts/transfer_mean.py"


rule transfers:
    """All transfers of the study."""
    input:
        targets.transfer_predictions(),
