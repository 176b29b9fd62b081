"""One HTML file of all tables and figures."""

from mekrr.study.job import job
from mekrr.study.report import write_report

with job(snakemake):
    write_report(snakemake.output[0], snakemake.config, snakemake.log[0])
