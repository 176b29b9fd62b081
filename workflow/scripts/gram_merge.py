"""Blocks of a Gram matrix to one file of kernels."""

from mekrr.kernels.blocks import merge_blocks
from mekrr.kernels.prepared import Prepared
from mekrr.study.job import job

with job(snakemake):
    prepared = Prepared.read(snakemake.input.prepared)
    merge_blocks(snakemake.output.kernels, list(snakemake.input.blocks), prepared)
