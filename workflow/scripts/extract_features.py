"""Checked frames of one shard to the features of one backbone."""

from mekrr.study.extraction import extract_shard
from mekrr.study.job import job

with job(snakemake):
    given, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
    weights = next(iter(given.weights), None)
    extract_shard(
        snakemake.output.shard,
        given.frames,
        given.table,
        (int(wildcards.shard), int(wildcards.n_shards)),
        {"name": wildcards.backbone, "weights": weights, **params.backbone},
        params.features,
        wildcards.dataset,
    )
