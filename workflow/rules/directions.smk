"""Derivatives of atom features along directions of the frames, for sparse models.

Of frames with forces, where sparse models are fitted: two forward passes for each direction.

in:   results/data/{dataset}/frames.extxyz, the backbone's weights
out:  results/directions/{dataset}/{backbone}.safetensors, joined from shards
"""


rule extract_directions:
    """Features a step forth and back along each direction of the frames of a shard."""
    input:
        frames="results/data/{dataset}/frames.extxyz",
        table="results/data/{dataset}/frames.csv",
        weights=targets.backbone_weights,
        code=adapter_code("extract_directions"),
    output:
        shard=temp("results/directions/{dataset}/{backbone}/{shard}-of-{n_shards}.safetensors"),
    log:
        "results/logs/extract_directions/{dataset}/{backbone}/{shard}-of-{n_shards}.log",
    benchmark:
        "results/benchmarks/extract_directions/{dataset}/{backbone}/{shard}-of-{n_shards}.tsv"
    wildcard_constraints:
        dataset=one_of(targets.datasets),
        shard=r"\d+",
        n_shards=r"\d+",
    conda:
        adapter_environment
    threads: 1
    resources:
        mem_mb=resources.features_memory,
        runtime=resources.directions_minutes,
        gpu=1,
    params:
        backbone=entries.backbone,
        features=entries.derivatives,
        directions=entries.directions,
    script:
        "../scripts/extract_directions.py"


use rule merge_features as merge_directions with:
    """The shards of a data set and backbone as one file."""
    input:
        shards=targets.direction_shards,
        code=code("merge_features"),
    output:
        features="results/directions/{dataset}/{backbone}.safetensors",
    log:
        "results/logs/merge_directions/{dataset}/{backbone}.log",
    benchmark:
        "results/benchmarks/merge_directions/{dataset}/{backbone}.tsv"
