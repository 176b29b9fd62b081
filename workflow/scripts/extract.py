"""Take one file out of a downloaded archive."""

from mekrr.data.archives import extract_member
from mekrr.job import job

with job(snakemake):
    extract_member(snakemake.input.archive, snakemake.params.member, snakemake.output.file)
