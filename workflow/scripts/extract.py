"""Take one file out of a downloaded archive."""

from mekrr.study.archives import extract_member
from mekrr.study.job import job

with job(snakemake):
    extract_member(snakemake.input.archive, snakemake.params.member, snakemake.output.file)
