"""Fetch one file of a data set."""

from mekrr.data.retrieval import download
from mekrr.job import job

with job(snakemake):
    entry = snakemake.params.download
    download(entry["url"], snakemake.output.file, entry.get("sha256"))
