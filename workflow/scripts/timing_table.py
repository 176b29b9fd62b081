"""Benchmarks of all jobs to the cost of every method."""

import pandas as pd

from mekrr.files import write_csv
from mekrr.study.experiments.timing import NOTES, costs, grid, read_steps
from mekrr.study.job import job
from mekrr.study.tables.printing.write import write_printed
from mekrr.study.tables.tidy import FIT, read_tables

with job(snakemake):
    datasets = {name: entry.get("title", name) for name, entry in snakemake.params.datasets.items()}
    predictions = list(snakemake.input.predictions)
    table = costs(
        read_steps(snakemake.input.benchmarks),
        read_tables([snakemake.input.metrics]),
        snakemake.params.networks,
        read_tables(predictions)
        if predictions
        else pd.DataFrame(columns=[*FIT, "prediction_seconds"]),
    )
    write_csv(snakemake.output.csv, table)
    write_printed(
        snakemake.output,
        "",
        "Cost of training and prediction",
        [grid(table, datasets, snakemake.params.backbones)],
        [],
        NOTES,
    )
