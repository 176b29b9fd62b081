"""Networks trained on the frames, from scratch or fine-tuned, to fitted predictions.

The layers that stay as they are, the trunk, run once for each frame of a data set; what is
trained, the head, runs every epoch. A training that is killed goes on where it was, from a
checkpoint that is no output: Snakemake deletes those of jobs that fail.

in:   results/data/{dataset}/frames.extxyz, the weights of the backbone that a network starts with
out:  results/training/{dataset}/{network}.safetensors, the trunk's, for as long as it is needed
      results/fits/{dataset}/{strategy}-{seed}/{network}/*.csv, model.safetensors
      results/learning/{dataset}/{strategy}-{seed}/{network}.csv
      results/transfer/{source}-to-{target}/{strategy}-{seed}/{network}.predictions.csv
      results/figures/{dataset}/history.{svg,pdf,png}
"""


rule trunk:
    """What the frozen layers of a network make of each frame."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        weights=targets.network_weights,
        code=network_code("trunk"),
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


rule train_network:
    """Training until the validation error falls no more; the best epoch counts."""
    input:
        states="results/training/{dataset}/{network}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        frames=targets.forces_file,
        weights=targets.network_weights,
        code=network_code("train_network"),
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
    conda:
        "../../envs/mekrr.yaml"
    threads: 1  # a second thread gains little on a CPU; a second job does
    resources:
        mem_mb=resources.training_memory,
        runtime=resources.training_minutes,
        gpu=1,
    params:
        model=entries.network,
        method=entries.network_method,
        training=entries.training,
        reference_energy=entries.reference_energy,
        checkpoint="results/training/{dataset}/{strategy}-{seed}/{network}.pt",
    script:
        "../scripts/train_network.py"


rule learning_network:
    """The same on nested subsets of the training frames, for the learning curves."""
    input:
        states="results/training/{dataset}/{network}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        frames=targets.forces_file,
        weights=targets.network_weights,
        code=network_code("learning_network"),
    output:
        errors="results/learning/{dataset}/{strategy}-{seed}/{network}.csv",
    log:
        "results/logs/learning_network/{dataset}/{strategy}-{seed}/{network}.log",
    benchmark:
        "results/benchmarks/learning_network/{dataset}/{strategy}-{seed}/{network}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.training_memory,
        runtime=resources.learning_minutes,
        gpu=1,
    params:
        model=entries.network,
        method=entries.network_method,
        training=entries.training,
        n_train=CONFIG.learning.n_train,
        reference_energy=entries.reference_energy,
        checkpoint="results/training/{dataset}/{strategy}-{seed}/{network}",
    script:
        "../scripts/learning_network.py"


rule train_for_target:
    """As published for transfer: the epoch is chosen on validation frames of the target."""
    input:
        states=[
            "results/training/{source}/{network}.safetensors",
            "results/training/{target}/{network}.safetensors",
        ],
        tables=["results/data/{source}/frames.csv", "results/data/{target}/frames.csv"],
        splits=[
            "results/data/{source}/splits/{strategy}-{seed}.csv",
            "results/data/{target}/splits/{strategy}-{seed}.csv",
        ],
        frames=targets.forces_file,
        weights=targets.network_weights,
        code=network_code("train_for_target"),
    output:
        model="results/transfer/{source}-to-{target}/{strategy}-{seed}/{network}.safetensors",
    log:
        "results/logs/train_for_target/{source}-to-{target}/{strategy}-{seed}/{network}.log",
    benchmark:
        "results/benchmarks/train_for_target/{source}-to-{target}/{strategy}-{seed}/{network}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.training_memory,
        runtime=resources.training_minutes,
        gpu=1,
    params:
        model=entries.network,
        training=entries.transfer_training,
        reference_energy=entries.reference_energy,
        checkpoint="results/training/{source}-to-{target}/{strategy}-{seed}/{network}.pt",
    script:
        "../scripts/train_for_target.py"


rule transfer_network:
    """A network trained on the source, on the target's test frames."""
    input:
        model=targets.transferred_model,
        states=[
            "results/training/{source}/{network}.safetensors",
            "results/training/{target}/{network}.safetensors",
        ],
        tables=["results/data/{source}/frames.csv", "results/data/{target}/frames.csv"],
        splits=[
            "results/data/{source}/splits/{strategy}-{seed}.csv",
            "results/data/{target}/splits/{strategy}-{seed}.csv",
        ],
        weights=targets.network_weights,
        code=network_code("transfer_network"),
    output:
        predictions="results/transfer/{source}-to-{target}/{strategy}-{seed}/{network}.predictions.csv",
    log:
        "results/logs/transfer_network/{source}-to-{target}/{strategy}-{seed}/{network}.log",
    benchmark:
        "results/benchmarks/transfer_network/{source}-to-{target}/{strategy}-{seed}/{network}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.features_memory,
        runtime=resources.trunk_minutes,
        gpu=1,
    params:
        model=entries.network,
        method=entries.network_method,
        reference_energy=entries.reference_energy,
    script:
        "../scripts/transfer_network.py"
