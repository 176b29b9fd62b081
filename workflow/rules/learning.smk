"""Test error against the number of training frames.

Where forces are compared, theirs along with those of energies.

in:   results/kernels/…, results/features/…, results/data/{dataset}/frames.extxyz
out:  results/learning/{dataset}/{strategy}-{seed}/{backbone}.csv
      results/tables/learning.csv
      results/figures/learning.{svg,pdf,png}, learning_forces.{svg,pdf,png}
"""


rule learning_kernels:
    """Methods on frozen features, on nested subsets of the training frames."""
    input:
        kernels="results/kernels/{dataset}/{strategy}-{seed}/{backbone}.safetensors",
        features="results/features/{dataset}/{backbone}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        compared="results/data/{dataset}/frames.extxyz",
        weights=targets.backbone_weights,
        code=potential_code("learning", "kernel", adapter_module),
    output:
        errors="results/learning/{dataset}/{strategy}-{seed}/{backbone}.csv",
    log:
        "results/logs/learning_kernels/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/learning_kernels/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=resources.baselines_memory,
        runtime=resources.curve_minutes,
    params:
        kind="kernel",
        methods=entries.recipes("learning"),
        layers=entries.layers,
        n_train=CONFIG.learning.n_train,
        grid=CONFIG.grid.given(),
        backbone=entries.backbone,
        atoms=CONFIG.features.given()["atoms"],
        n_frames=entries.compared_frames,
        reference_energy=entries.reference_energy,
    script:
        "../scripts/learning.py"


rule learning_network:
    """The same with a network, which may want a GPU."""
    input:
        states="results/training/{dataset}/{network}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        frames=targets.forces_file,
        compared="results/data/{dataset}/frames.extxyz",
        weights=targets.network_weights,
        code=potential_code("learning", "network", network_module),
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
        kind="network",
        model=entries.network,
        method=entries.network_method,
        training=entries.training,
        n_train=CONFIG.learning.n_train,
        n_frames=entries.compared_frames,
        reference_energy=entries.reference_energy,
        checkpoint="results/training/{dataset}/{strategy}-{seed}/{network}",
    script:
        "../scripts/learning.py"
