"""One HTML file of all tables and figures."""

from mekrr.study.job import job
from mekrr.study.report import write_report

with job(snakemake):
    given = snakemake.input
    write_report(
        snakemake.output[0],
        snakemake.config,
        given.verdict or None,
        given.provenance,
        {"style": given.style, "script": given.script},
        snakemake.log[0],
    )
