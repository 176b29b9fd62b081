"""Fetch one file of a data set."""

from mekrr.study.job import job
from mekrr.study.retrieval import download

with job(snakemake):
    entry = snakemake.params.download
    download(entry["url"], snakemake.output.file, entry.get("sha256"))
