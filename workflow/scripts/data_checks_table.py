"""Findings on all data sets of the study in one table."""

from mekrr.files import write_text
from mekrr.job import job
from mekrr.tables import read_tables, to_html, to_markdown

TITLE = "Data sets and their splits"
NOTES = [
    "A test frame that has a training frame next to it says little about new geometries: the "
    "share of such frames is the leak of a split. Errors of a leaking split flatter every method."
]

with job(snakemake.log[0], snakemake.threads):
    table = read_tables(snakemake.input.checks)
    write_text(snakemake.output.markdown, to_markdown(table, TITLE, NOTES))
    write_text(snakemake.output.html, to_html(table, TITLE, NOTES))
