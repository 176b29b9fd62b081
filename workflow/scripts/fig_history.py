"""Draw the errors of networks by epoch."""

from mekrr.study.job import job
from mekrr.study.plots import history
from mekrr.study.plots.style import save
from mekrr.study.tables.tidy import read_tables

with job(snakemake):
    table = read_tables(snakemake.input.histories)
    figure = history.draw(table, snakemake.wildcards.dataset, snakemake.params.datasets)
    save(figure, list(snakemake.output))
