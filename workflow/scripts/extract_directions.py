"""Checked frames of one shard to derivatives of features along their directions."""

from mekrr.study.directions import extract_directions_shard
from mekrr.study.job import job

with job(snakemake):
    given, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
    weights = next(iter(given.weights), None)
    extract_directions_shard(
        snakemake.output.shard,
        given.frames,
        given.table,
        (int(wildcards.shard), int(wildcards.n_shards)),
        {"name": wildcards.backbone, "weights": weights, **params.backbone},
        params.features,
        params.directions,
        wildcards.dataset,
    )
