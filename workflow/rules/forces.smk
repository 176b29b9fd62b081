"""Errors of the forces of every fit on test frames that have forces.

Kernels and sparse models are fitted again with their choices; networks and GAP are those that were fitted. A data
set without forces gives tables without rows. Models that state standard deviations state them along the directions
that are stored for sparse models.

The params of the first rule are those of all, with their own.

in:   results/fits/…, results/features/…, results/data/{dataset}/frames.extxyz
out:  results/forces/{dataset}/{strategy}-{seed}/{model}.csv
      results/forces/{dataset}/{strategy}-{seed}/{backbone}.slopes.csv, {backbone}/sparse.slopes.csv
"""


rule forces_mean:
    """The constant predictor: how large the forces are."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        choices=["results/fits/{dataset}/{strategy}-{seed}/training-mean/choices.csv"],
        code=potential_code("forces", "constant"),
    output:
        forces="results/forces/{dataset}/{strategy}-{seed}/training-mean.csv",
    log:
        "results/logs/forces_mean/{dataset}/{strategy}-{seed}.log",
    benchmark:
        "results/benchmarks/forces_mean/{dataset}/{strategy}-{seed}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.frames_memory,
        runtime=resources.frames_minutes,
    params:
        kind="constant",
        n_frames=CONFIG.forces.frames,
        methods=entries.recipes("constants"),
        reference_energy=entries.reference_energy,
    script:
        "../scripts/forces.py"


use rule forces_mean as forces_kernels with:
    """The untouched network, and kernels on the features of its backbone."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        choices=[
            "results/fits/{dataset}/{strategy}-{seed}/{backbone}/baselines.choices.csv",
            "results/fits/{dataset}/{strategy}-{seed}/{backbone}/mekrr.choices.csv",
        ],
        features="results/features/{dataset}/{backbone}.safetensors",
        directions=targets.stored_directions,
        weights=targets.backbone_weights,
        code=potential_code("forces", "kernel", adapter_module),
    output:
        forces="results/forces/{dataset}/{strategy}-{seed}/{backbone}.csv",
        slopes="results/forces/{dataset}/{strategy}-{seed}/{backbone}.slopes.csv",
    log:
        "results/logs/forces_kernels/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/forces_kernels/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    resources:
        mem_mb=resources.baselines_memory,
        runtime=resources.forces_minutes,
        gpu=1,
    params:
        kind="kernel",
        methods=entries.recipes("frozen"),
        backbone=entries.backbone,
        atoms=CONFIG.features.given()["atoms"],


use rule forces_mean as forces_sparse with:
    """Sparse models on the features of a backbone."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        choices=["results/fits/{dataset}/{strategy}-{seed}/{backbone}/sparse.choices.csv"],
        features="results/features/{dataset}/{backbone}.safetensors",
        directions="results/directions/{dataset}/{backbone}.safetensors",
        weights=targets.backbone_weights,
        code=potential_code("forces", "sparse", adapter_module),
    output:
        forces="results/forces/{dataset}/{strategy}-{seed}/{backbone}/sparse.csv",
        slopes="results/forces/{dataset}/{strategy}-{seed}/{backbone}/sparse.slopes.csv",
    log:
        "results/logs/forces_sparse/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/forces_sparse/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    resources:
        mem_mb=resources.sparse_memory,
        runtime=resources.sparse_forces_minutes,
        gpu=1,
    params:
        kind="sparse",
        methods=entries.recipes("sparse"),
        sparse=entries.sparse,
        backbone=entries.backbone,
        atoms=CONFIG.features.given()["atoms"],


use rule forces_mean as forces_network with:
    """A network that was trained."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        choices=["results/fits/{dataset}/{strategy}-{seed}/{network}/choices.csv"],
        model="results/fits/{dataset}/{strategy}-{seed}/{network}/model.safetensors",
        states="results/training/{dataset}/{network}.safetensors",
        weights=targets.network_weights,
        code=potential_code("forces", "network", network_module),
    output:
        forces="results/forces/{dataset}/{strategy}-{seed}/{network}.csv",
    log:
        "results/logs/forces_network/{dataset}/{strategy}-{seed}/{network}.log",
    benchmark:
        "results/benchmarks/forces_network/{dataset}/{strategy}-{seed}/{network}.tsv"
    resources:
        mem_mb=resources.training_memory,
        runtime=resources.forces_minutes,
        gpu=1,
    params:
        kind="network",
        methods=[],
        model=entries.network,
        method=entries.network_method,


use rule forces_mean as forces_franken with:
    """franken, whose forces its fit has predicted."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        choices=["results/fits/{dataset}/{strategy}-{seed}/{backbone}/franken.choices.csv"],
        model="results/fits/{dataset}/{strategy}-{seed}/{backbone}/franken.safetensors",
        code=potential_code("forces", "franken"),
    output:
        forces="results/forces/{dataset}/{strategy}-{seed}/{backbone}/franken.csv",
    log:
        "results/logs/forces_franken/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/forces_franken/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    params:
        kind="franken",
        n_frames=CONFIG.forces.frames,
        methods=[],
        reference_energy=entries.reference_energy,


use rule forces_mean as forces_gap with:
    """A GAP-SOAP potential."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        choices=["results/fits/{dataset}/{strategy}-{seed}/{gap}/choices.csv"],
        model="results/fits/{dataset}/{strategy}-{seed}/{gap}/model.tar.gz",
        code=potential_code("forces", "potential"),
    output:
        forces="results/forces/{dataset}/{strategy}-{seed}/{gap}.csv",
    log:
        "results/logs/forces_gap/{dataset}/{strategy}-{seed}/{gap}.log",
    benchmark:
        "results/benchmarks/forces_gap/{dataset}/{strategy}-{seed}/{gap}.tsv"
    resources:
        mem_mb=resources.gap_memory,
        runtime=resources.gap_minutes,
    params:
        kind="potential",
        methods=gap_recipes,
