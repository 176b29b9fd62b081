"""Modules to a list of their checksums."""

from mekrr.files import sha256, write_text
from mekrr.study.job import job

with job(snakemake):
    lines = [f"{sha256(path)}  {path}\n" for path in snakemake.input.code]
    write_text(snakemake.output.listing, "".join(lines))
