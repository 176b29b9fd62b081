"""Fits on one data set to predictions on another, zero-shot: nothing is chosen on the target.

All transfers run one script, once for all seeds. Networks have a rule of their own, which may
want a GPU, and one that trains them as published.

in:   fits on the source; features, directions, states or frames of both data sets; their splits
out:  results/transfer/{source}-to-{target}/{strategy}/{model}.predictions.csv
"""


rule transfer:
    """A model of any kind, with the layer and hyper-parameters of the source."""
    input:
        unpack(targets.transfer_files),
        unpack(targets.transfer_splits),
        tables=["results/data/{source}/frames.csv", "results/data/{target}/frames.csv"],
        code=transfer_code,
    output:
        predictions="results/transfer/{source}-to-{target}/{strategy}/{model}.predictions.csv",
    log:
        "results/logs/transfer/{source}-to-{target}/{strategy}/{model}.log",
    benchmark:
        "results/benchmarks/transfer/{source}-to-{target}/{strategy}/{model}.tsv"
    wildcard_constraints:
        model=one_of(["training-mean", *targets.gaps, *STUDY.backbones]),
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.transfer_memory,
        runtime=resources.transfer_minutes,
    params:
        kind=targets.transfer_kind,
        seeds=entries.seeds,
        methods=transfer_recipes,
        reference_energy=entries.reference_energy,
    script:
        "../scripts/transfer.py"


use rule transfer as transfer_sparse with:
    """Sparse models with the choices of the source."""
    input:
        unpack(targets.transfer_splits),
        features=[
            "results/features/{source}/{backbone}.safetensors",
            "results/features/{target}/{backbone}.safetensors",
        ],
        directions="results/directions/{source}/{backbone}.safetensors",
        frames="results/data/{source}/frames.extxyz",
        choices=targets.sparse_choices,
        tables=["results/data/{source}/frames.csv", "results/data/{target}/frames.csv"],
        code=kind_code("transfer", "sparse"),
    output:
        predictions="results/transfer/{source}-to-{target}/{strategy}/{backbone}/sparse.predictions.csv",
    log:
        "results/logs/transfer_sparse/{source}-to-{target}/{strategy}/{backbone}.log",
    benchmark:
        "results/benchmarks/transfer_sparse/{source}-to-{target}/{strategy}/{backbone}.tsv"
    resources:
        mem_mb=resources.sparse_memory,
        runtime=resources.sparse_transfer_minutes,
    params:
        kind="sparse",
        seeds=entries.seeds,
        methods=entries.recipes("sparse"),
        sparse=entries.sparse,
        reference_energy=entries.reference_energy,


use rule transfer as transfer_network with:
    """A network trained on the source, on the target's test frames."""
    input:
        unpack(targets.transfer_splits),
        models=targets.transferred_models,
        states=[
            "results/training/{source}/{network}.safetensors",
            "results/training/{target}/{network}.safetensors",
        ],
        tables=["results/data/{source}/frames.csv", "results/data/{target}/frames.csv"],
        weights=targets.network_weights,
        code=network_code("transfer"),
    output:
        predictions="results/transfer/{source}-to-{target}/{strategy}/{network}.predictions.csv",
    log:
        "results/logs/transfer_network/{source}-to-{target}/{strategy}/{network}.log",
    benchmark:
        "results/benchmarks/transfer_network/{source}-to-{target}/{strategy}/{network}.tsv"
    resources:
        mem_mb=resources.features_memory,
        runtime=resources.network_transfer_minutes,
        gpu=1,
    params:
        kind="network",
        seeds=entries.seeds,
        methods=[],
        model=entries.network,
        method=entries.network_method,
        reference_energy=entries.reference_energy,


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
        checkpoint="results/training/{source}-to-{target}/{strategy}-{seed}/{network}",
    script:
        "../scripts/train_for_target.py"


rule transfers:
    """All transfers of the study."""
    input:
        targets.transfer_predictions(),
