"""Checked frames of one shard to the features of one backbone."""

from mekrr.study.extraction import extract_shard
from mekrr.study.job import job

with job(snakemake):
    given, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
    weights = next(iter(given.weights), None)
    # Of a stretch there is one shard.
    shard = int(wildcards.get("shard", 0)), int(wildcards.get("n_shards", 1))
    extract_shard(
        snakemake.output.shard,
        given.frames,
        given.table,
        shard,
        {"name": wildcards.backbone, "weights": weights, **params.backbone},
        params.features,
        wildcards.dataset,
        given.get("whole"),
    )
