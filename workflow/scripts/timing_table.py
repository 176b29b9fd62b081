"""Benchmarks of all jobs to the cost of every method."""

from mekrr.files import write_csv
from mekrr.job import job
from mekrr.printing.write import write_printed
from mekrr.tables import read_tables
from mekrr.timing import NOTES, costs, grid, read_steps

with job(snakemake.log[0], snakemake.threads):
    datasets = {name: entry.get("title", name) for name, entry in snakemake.params.datasets.items()}
    table = costs(read_steps(snakemake.input.benchmarks), read_tables([snakemake.input.metrics]))
    write_csv(snakemake.output.csv, table)
    write_printed(
        snakemake.output,
        "",
        "Cost of training and prediction",
        [grid(table, datasets, snakemake.params.backbones)],
        [],
        NOTES,
    )
