"""Test errors within one data set, beside the published ones, in four formats."""

import pandas as pd

from mekrr.files import write_csv, write_text
from mekrr.job import job
from mekrr.tables import (
    for_paper,
    read_tables,
    readable,
    same_dataset_notes,
    summary,
    to_html,
    to_latex,
    to_markdown,
    with_published,
)

TITLE = "Errors within one data set (meV/atom)"

with job(snakemake.log[0], snakemake.threads):
    datasets = snakemake.params.datasets
    table = with_published(
        summary(read_tables([snakemake.input.metrics])),
        pd.read_csv(snakemake.input.published),
        datasets,
    )
    printed, notes = readable(table, datasets), same_dataset_notes(datasets)
    write_csv(snakemake.output.csv, table)
    write_text(snakemake.output.markdown, to_markdown(printed, TITLE, notes))
    write_text(snakemake.output.latex, to_latex(for_paper(printed), TITLE, notes))
    write_text(snakemake.output.html, to_html(printed, TITLE, notes))
