"""Checked frames to atom features of frozen backbones, on a GPU where there is one.

in:   results/data/{dataset}/frames.extxyz
out:  results/features/{dataset}/{backbone}.safetensors, all layers
"""


rule extract_features:
    """One forward pass per frame yields every layer and the network's own energy."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        code=feature_code,
    output:
        features="results/features/{dataset}/{backbone}.safetensors",
    log:
        "results/logs/extract_features/{dataset}/{backbone}.log",
    benchmark:
        "results/benchmarks/extract_features/{dataset}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1  # a second thread gains nothing on a CPU; a second job does
    resources:
        mem_mb=8000,
        runtime=240,
        gpu=1,
    params:
        family=backbone_family,
        batch_size=config["features"]["batch_size"],
    script:
        "../scripts/extract_features.py"


rule features:
    """All features of the study."""
    input:
        collect(
            "results/features/{dataset}/{backbone}.safetensors",
            dataset=STUDY["datasets"],
            backbone=STUDY["backbones"],
        ),
