"""Molecular dynamics with what was fitted to a surrogate, where the potential that made it can be
asked: a job for each data set, ensemble and group of methods.

All these rules run one script; the params of the first are those of all. A run that is killed goes
on from its last state.

in:   fits under the first split, their features, states or models, the start frame
out:  results/molecular_dynamics/{dataset}/{strategy}-{seed}/{ensemble}/{model}.log.csv
                       .errors.csv, .bonds.csv (tables of facts), .extxyz (the trajectories)
      results/tables/molecular_dynamics.*
      results/figures/{dataset}/molecular_dynamics-{ensemble}.*
"""

FOLDER = "results/molecular_dynamics/{dataset}/{strategy}-{seed}/{ensemble}"


wildcard_constraints:
    ensemble="NVE|NVT",


rule molecular_dynamics_truth:
    """The potential that made the data: what all others are held against."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("molecular_dynamics"),
    output:
        log=f"{FOLDER}/truth.log.csv",
        errors=f"{FOLDER}/truth.errors.csv",
        bonds=f"{FOLDER}/truth.bonds.csv",
        frames=f"{FOLDER}/truth.extxyz",
    log:
        "results/logs/molecular_dynamics_truth/{dataset}/{strategy}-{seed}/{ensemble}.log",
    benchmark:
        "results/benchmarks/molecular_dynamics_truth/{dataset}/{strategy}-{seed}/{ensemble}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=resources.dynamics_minutes,
    params:
        kind=None,
        simulated=CONFIG.molecular_dynamics.methods,
        settings=entries.dynamics,
        limits=CONFIG.molecular_dynamics.limits.given(),
        checkpoint=f"{FOLDER}/truth",
    script:
        "../scripts/molecular_dynamics.py"


use rule molecular_dynamics_truth as molecular_dynamics with:
    """The untouched network, and kernels on the features of its backbone."""
    input:
        features="results/features/{dataset}/{backbone}.safetensors",
        choices=[
            "results/fits/{dataset}/{strategy}-{seed}/{backbone}/baselines.choices.csv",
            "results/fits/{dataset}/{strategy}-{seed}/{backbone}/mekrr.choices.csv",
        ],
        weights=targets.backbone_weights,
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=potential_code("molecular_dynamics", "kernel", adapter_module),
    output:
        log=f"{FOLDER}/{{backbone}}.log.csv",
        errors=f"{FOLDER}/{{backbone}}.errors.csv",
        bonds=f"{FOLDER}/{{backbone}}.bonds.csv",
        frames=f"{FOLDER}/{{backbone}}.extxyz",
    log:
        "results/logs/molecular_dynamics/{dataset}/{strategy}-{seed}/{ensemble}/{backbone}.log",
    benchmark:
        "results/benchmarks/molecular_dynamics/{dataset}/{strategy}-{seed}/{ensemble}/{backbone}.tsv"
    resources:
        mem_mb=resources.baselines_memory,
        runtime=resources.dynamics_minutes,
        gpu=1,
    params:
        kind="kernel",
        methods=entries.recipes("frozen"),
        backbone=entries.backbone,
        atoms=CONFIG.features.given()["atoms"],
        reference_energy=entries.reference_energy,
        checkpoint=f"{FOLDER}/{{backbone}}",


use rule molecular_dynamics_truth as molecular_dynamics_sparse with:
    """Sparse models on the features of a backbone."""
    input:
        features="results/features/{dataset}/{backbone}.safetensors",
        directions="results/directions/{dataset}/{backbone}.safetensors",
        choices=["results/fits/{dataset}/{strategy}-{seed}/{backbone}/sparse.choices.csv"],
        weights=targets.backbone_weights,
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=potential_code("molecular_dynamics", "sparse", adapter_module),
    output:
        log=f"{FOLDER}/{{backbone}}/sparse.log.csv",
        errors=f"{FOLDER}/{{backbone}}/sparse.errors.csv",
        bonds=f"{FOLDER}/{{backbone}}/sparse.bonds.csv",
        frames=f"{FOLDER}/{{backbone}}/sparse.extxyz",
    log:
        "results/logs/molecular_dynamics_sparse/{dataset}/{strategy}-{seed}/{ensemble}/{backbone}.log",
    benchmark:
        "results/benchmarks/molecular_dynamics_sparse/{dataset}/{strategy}-{seed}/{ensemble}/{backbone}.tsv"
    resources:
        mem_mb=resources.sparse_memory,
        runtime=resources.dynamics_minutes,
        gpu=1,
    params:
        kind="sparse",
        methods=entries.recipes("sparse"),
        sparse=entries.sparse,
        backbone=entries.backbone,
        atoms=CONFIG.features.given()["atoms"],
        reference_energy=entries.reference_energy,
        checkpoint=f"{FOLDER}/{{backbone}}/sparse",


use rule molecular_dynamics_truth as molecular_dynamics_network with:
    """A network that was trained."""
    input:
        model="results/fits/{dataset}/{strategy}-{seed}/{network}/model.safetensors",
        states="results/training/{dataset}/{network}.safetensors",
        weights=targets.network_weights,
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=potential_code("molecular_dynamics", "network", network_module),
    output:
        log=f"{FOLDER}/{{network}}.log.csv",
        errors=f"{FOLDER}/{{network}}.errors.csv",
        bonds=f"{FOLDER}/{{network}}.bonds.csv",
        frames=f"{FOLDER}/{{network}}.extxyz",
    log:
        "results/logs/molecular_dynamics_network/{dataset}/{strategy}-{seed}/{ensemble}/{network}.log",
    benchmark:
        "results/benchmarks/molecular_dynamics_network/{dataset}/{strategy}-{seed}/{ensemble}/{network}.tsv"
    resources:
        mem_mb=resources.training_memory,
        runtime=resources.dynamics_minutes,
        gpu=1,
    params:
        kind="network",
        model=entries.network,
        method=entries.network_method,
        reference_energy=entries.reference_energy,
        checkpoint=f"{FOLDER}/{{network}}",


use rule molecular_dynamics_truth as molecular_dynamics_gap with:
    """A GAP-SOAP potential."""
    input:
        model="results/fits/{dataset}/{strategy}-{seed}/{gap}/model.tar.gz",
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=potential_code("molecular_dynamics", "potential"),
    output:
        log=f"{FOLDER}/{{gap}}.log.csv",
        errors=f"{FOLDER}/{{gap}}.errors.csv",
        bonds=f"{FOLDER}/{{gap}}.bonds.csv",
        frames=f"{FOLDER}/{{gap}}.extxyz",
    log:
        "results/logs/molecular_dynamics_gap/{dataset}/{strategy}-{seed}/{ensemble}/{gap}.log",
    benchmark:
        "results/benchmarks/molecular_dynamics_gap/{dataset}/{strategy}-{seed}/{ensemble}/{gap}.tsv"
    resources:
        mem_mb=resources.gap_memory,
        runtime=resources.dynamics_minutes,
    params:
        kind="potential",
        methods=gap_recipes,
        reference_energy=entries.reference_energy,
        checkpoint=f"{FOLDER}/{{gap}}",
