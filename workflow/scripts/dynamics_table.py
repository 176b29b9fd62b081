"""Dynamics of all surrogates of the study in one table."""

from mekrr.files import write_csv, write_text
from mekrr.study.job import job
from mekrr.study.tables.tidy import read_tables, to_html, to_markdown

TITLE = "Dynamics behind the surrogates"
NOTES = [
    "Drift: slope of the potential energy over the run, reactions included. Bond: N–N or C–H. "
    "Farthest: the largest value in the run, of the shortest distance between adsorbate and metal, "
    "and of the displacement of a metal atom (any, and in the fixed layers) since its first frame."
]

with job(snakemake):
    table = read_tables(snakemake.input.summaries)
    write_csv(snakemake.output.csv, table)
    printed = table.map(lambda value: f"{value:.2f}" if isinstance(value, float) else str(value))
    write_text(snakemake.output.markdown, to_markdown(printed, TITLE, NOTES))
    write_text(snakemake.output.html, to_html(printed, TITLE, NOTES))
