"""All predictions to the table of errors."""

from mekrr.files import write_csv
from mekrr.study.job import job
from mekrr.study.tables.tidy import all_metrics, read_tables

with job(snakemake):
    predictions = read_tables(snakemake.input.predictions)
    write_csv(
        snakemake.output.metrics, all_metrics(predictions, read_tables(snakemake.input.choices))
    )
