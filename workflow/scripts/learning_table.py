"""All learning curves in one table."""

from mekrr.files import write_csv
from mekrr.study.experiments.learning import with_whole_set
from mekrr.study.job import job
from mekrr.study.tables.tidy import read_tables

with job(snakemake):
    subsets = read_tables(snakemake.input.errors)
    write_csv(snakemake.output.csv, with_whole_set(subsets, read_tables([snakemake.input.metrics])))
