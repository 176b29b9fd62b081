"""Shards of features to one file."""

from mekrr.features.store import merge_shards
from mekrr.study.job import job

with job(snakemake):
    merge_shards(snakemake.output.features, list(snakemake.input.shards))
