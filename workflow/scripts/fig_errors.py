"""Draw the test error of every method, seed by seed."""

from mekrr.job import job
from mekrr.plots import errors
from mekrr.plots.style import save
from mekrr.tables import read_tables

with job(snakemake):
    metrics = read_tables([snakemake.input.metrics])
    figure = errors.draw(metrics, snakemake.params.datasets, snakemake.params.backbones)
    save(figure, list(snakemake.output))
