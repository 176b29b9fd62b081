"""Networks trained on the frames, from scratch or fine-tuned, to fitted predictions.

The layers that stay as they are, the trunk, run once for each frame of a data set; what is
trained, the head, runs every epoch. A training that is killed goes on where it was, from a
checkpoint that is no output: Snakemake deletes those of jobs that fail.

in:   results/data/{dataset}/frames.extxyz, the weights of the backbone that a network starts with
out:  results/training/{dataset}/{network}.safetensors, the trunk's, for as long as it is needed
      results/fits/{dataset}/{strategy}-{seed}/{network}/*.csv, model.safetensors
"""


rule trunk:
    """What the frozen layers of a network make of each frame."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        weights=targets.network_weights,
        code=network_code("trunk", fitted=False),
    output:
        states=temp("results/training/{dataset}/{network}.safetensors"),
    log:
        "results/logs/trunk/{dataset}/{network}.log",
    benchmark:
        "results/benchmarks/trunk/{dataset}/{network}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.features_memory,
        runtime=resources.trunk_minutes,
        gpu=1,
    params:
        model=entries.network,
    script:
        "../scripts/trunk.py"


use rule fit_mean as train_network with:
    """Training until the validation error falls no more; the best epoch counts."""
    input:
        states="results/training/{dataset}/{network}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        frames=targets.forces_file,
        weights=targets.network_weights,
        code=network_code("fit"),
    output:
        predictions="results/fits/{dataset}/{strategy}-{seed}/{network}/predictions.csv",
        choices="results/fits/{dataset}/{strategy}-{seed}/{network}/choices.csv",
        history="results/fits/{dataset}/{strategy}-{seed}/{network}/history.csv",
        costs="results/fits/{dataset}/{strategy}-{seed}/{network}/costs.csv",
        model="results/fits/{dataset}/{strategy}-{seed}/{network}/model.safetensors",
    log:
        "results/logs/train_network/{dataset}/{strategy}-{seed}/{network}.log",
    benchmark:
        "results/benchmarks/train_network/{dataset}/{strategy}-{seed}/{network}.tsv"
    threads: 1  # a second thread gains little on a CPU; a second job does
    resources:
        mem_mb=resources.training_memory,
        runtime=resources.training_minutes,
        gpu=1,
    params:
        kind="network",
        model=entries.network,
        method=entries.network_method,
        training=entries.training,
        reference_energy=entries.reference_energy,
        checkpoint="results/training/{dataset}/{strategy}-{seed}/{network}",
