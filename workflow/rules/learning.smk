"""Test error against the number of training frames.

in:   results/kernels/…, results/features/…
out:  results/learning/{dataset}/{strategy}-{seed}/{backbone}.csv
      results/tables/learning.csv
      results/figures/learning.{svg,pdf,png}
"""


rule learning_kernels:
    """Methods on frozen features, on nested subsets of the training frames."""
    input:
        kernels="results/kernels/{dataset}/{strategy}-{seed}/{backbone}.safetensors",
        features="results/features/{dataset}/{backbone}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("learning", "kernel"),
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
        mem_mb=baselines_memory,
        runtime=fit_minutes,
    params:
        kind="kernel",
        methods=IN_LEARNING,
        layers=backbone_layers,
        n_train=config["learning"]["n_train"],
        grid=config["grid"],
        reference_energy=reference_energy,
    script:
        "../scripts/learning.py"


rule learning_network:
    """The same with a network, which may want a GPU."""
    input:
        states="results/training/{dataset}/{network}.safetensors",
        table="results/data/{dataset}/frames.csv",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        frames=forces_file,
        weights=network_weights,
        code=network_code("learning", "network"),
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
        mem_mb=training_memory,
        runtime=learning_minutes,
        gpu=1,
    params:
        kind="network",
        model=network_model,
        method=network_method,
        training=network_training,
        n_train=config["learning"]["n_train"],
        reference_energy=reference_energy,
        checkpoint="results/training/{dataset}/{strategy}-{seed}/{network}",
    script:
        "../scripts/learning.py"


rule learning_table:
    """All learning curves, with the fits of the study as their last points."""
    input:
        errors=collect(study_learning(), dataset=LEARNING),
        metrics="results/tables/metrics.csv",
        code=code("learning_table"),
    output:
        csv="results/tables/learning.csv",
    log:
        "results/logs/learning_table.log",
    benchmark:
        "results/benchmarks/learning_table.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    script:
        "../scripts/learning_table.py"


rule fig_learning:
    """Test error against the number of training frames, all methods."""
    input:
        table="results/tables/learning.csv",
        code=code("fig_learning"),
    output:
        report(
            "results/figures/learning.svg",
            caption="../report/learning.rst",
            category="2 Figures",
            labels=figure_labels("Learning curves"),
        ),
        figure_files("results/figures/learning"),
    log:
        "results/logs/fig_learning.log",
    benchmark:
        "results/benchmarks/fig_learning.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        datasets=study_datasets(),
        backbones=study_backbones(),
    script:
        "../scripts/fig_learning.py"
