"""Findings on all data sets of the study in one table."""

import pandas as pd

from mekrr.files import write_text
from mekrr.study.job import job
from mekrr.study.tables.tidy import read_tables, to_html, to_markdown

TITLE = "Data sets and their splits"
NOTES = [
    "A test frame that has a training frame next to it says little about new geometries: the "
    "share of such frames is the leak of a split. Errors of a leaking split flatter every method."
]

FACTS = ("system", "theory", "licence", "citation")


def described(checks: pd.DataFrame, name: str, entry: dict) -> pd.DataFrame:
    """What the registry says of a data set, above the findings on it."""
    facts = [(name, key, "", entry[key]) for key in FACTS if key in entry]
    return pd.concat([pd.DataFrame(facts, columns=checks.columns), checks])


with job(snakemake):
    datasets = snakemake.params.datasets
    checks = read_tables(snakemake.input.checks).groupby("dataset", sort=False)
    table = pd.concat([described(part, name, datasets[name]) for name, part in checks])
    write_text(snakemake.output.markdown, to_markdown(table, TITLE, NOTES))
    write_text(snakemake.output.html, to_html(table, TITLE, NOTES))
