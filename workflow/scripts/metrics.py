"""All predictions to the table of errors."""

from mekrr.files import write_csv
from mekrr.job import job
from mekrr.tables import all_metrics, read_tables

with job(snakemake):
    predictions = read_tables(snakemake.input.predictions)
    write_csv(
        snakemake.output.metrics, all_metrics(predictions, read_tables(snakemake.input.choices))
    )
