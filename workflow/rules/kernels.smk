"""Atom features to mean-embedding kernels K_0 and K_1 between frames.

in:   results/features/{dataset}/{backbone}.safetensors, a split
out:  results/kernels/{dataset}/{strategy}-{seed}/{backbone}.safetensors
      results/stretches/{dataset}/{backbone}.safetensors, .csv, for the heatmap
"""


rule gram:
    """All frames against the training frames, every layer; the median of the training
    atoms is each layer's lengthscale."""
    input:
        features="results/features/{dataset}/{backbone}.safetensors",
        split="results/data/{dataset}/splits/{strategy}-{seed}.csv",
        code=code("kernels/atom.py", "kernels/gram.py"),
    output:
        kernels="results/kernels/{dataset}/{strategy}-{seed}/{backbone}.safetensors",
    log:
        "results/logs/gram/{dataset}/{strategy}-{seed}/{backbone}.log",
    benchmark:
        "results/benchmarks/gram/{dataset}/{strategy}-{seed}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 2
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        layers=backbone_layers,
    script:
        "../scripts/gram.py"


rule stretch:
    """K_0 and K_1 between the frames of one stretch of a trajectory, their clusters, and
    the collective variable."""
    input:
        features="results/features/{dataset}/{backbone}.safetensors",
        table="results/data/{dataset}/frames.csv",
        variables="results/data/{dataset}/variables.csv",
        split=heatmap_split,
        code=code("kernels/atom.py", "kernels/gram.py", "stretch.py"),
    output:
        kernels="results/stretches/{dataset}/{backbone}.safetensors",
        series="results/stretches/{dataset}/{backbone}.csv",
    log:
        "results/logs/stretch/{dataset}/{backbone}.log",
    benchmark:
        "results/benchmarks/stretch/{dataset}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        dataset=dataset_entry,
        layer=lookup(within=config, dpath="backbones/{backbone}/heatmap_layer"),
        heatmap=config["heatmap"],
    script:
        "../scripts/stretch.py"
