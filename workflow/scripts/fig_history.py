"""Draw the errors of networks by epoch."""

from mekrr.job import job
from mekrr.plots import history
from mekrr.plots.style import save
from mekrr.tables import read_tables

with job(snakemake):
    table = read_tables(snakemake.input.histories)
    figure = history.draw(table, snakemake.wildcards.dataset, snakemake.params.datasets)
    save(figure, list(snakemake.output))
