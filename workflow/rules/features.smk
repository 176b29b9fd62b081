"""Checked frames to atom features of frozen backbones, on a GPU where there is one.

in:   results/data/{dataset}/frames.extxyz, the backbone's weights
out:  results/features/{dataset}/{backbone}.safetensors, all layers, joined from shards
"""


rule extract_features:
    """One forward pass per frame of a shard yields every layer and the network's energy."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        weights=targets.backbone_weights,
        code=adapter_code("extract_features"),
    output:
        shard=temp("results/features/{dataset}/{backbone}/{shard}-of-{n_shards}.safetensors"),
    log:
        "results/logs/extract_features/{dataset}/{backbone}/{shard}-of-{n_shards}.log",
    benchmark:
        "results/benchmarks/extract_features/{dataset}/{backbone}/{shard}-of-{n_shards}.tsv"
    wildcard_constraints:
        dataset=one_of(targets.datasets),
        shard=r"\d+",
        n_shards=r"\d+",
    conda:
        adapter_environment
    threads: 1  # a second thread gains nothing on a CPU; a second job does
    resources:
        mem_mb=resources.features_memory,
        runtime=resources.features_minutes,
        gpu=1,
    params:
        backbone=entries.backbone,
        features=entries.extraction(),
    script:
        "../scripts/extract_features.py"


rule merge_features:
    """The shards of a data set and backbone as one file."""
    input:
        shards=targets.feature_shards,
        code=code("merge_features"),
    output:
        features="results/features/{dataset}/{backbone}.safetensors",
    log:
        "results/logs/merge_features/{dataset}/{backbone}.log",
    benchmark:
        "results/benchmarks/merge_features/{dataset}/{backbone}.tsv"
    conda:
        "../../envs/mekrr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    script:
        "../scripts/merge_features.py"


rule features:
    """All features of the study."""
    input:
        collect(
            "results/features/{dataset}/{backbone}.safetensors",
            dataset=targets.datasets,
            backbone=STUDY.backbones,
        ),
