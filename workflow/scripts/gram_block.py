"""One block of a Gram matrix."""

from mekrr.kernels.blocks import write_block
from mekrr.kernels.prepared import Prepared
from mekrr.study.job import job

with job(snakemake):
    wildcards = snakemake.wildcards
    write_block(
        snakemake.output.block,
        snakemake.input.features,
        Prepared.read(snakemake.input.prepared),
        (int(wildcards.first), int(wildcards.second)),
        int(wildcards.n_parts),
        threads=snakemake.threads,
    )
