"""Draw the test error of every method, seed by seed."""

from mekrr.study.job import job
from mekrr.study.plots import errors
from mekrr.study.plots.style import save
from mekrr.study.tables.tidy import read_tables

with job(snakemake):
    metrics = read_tables([snakemake.input.metrics])
    figure = errors.draw(metrics, snakemake.params.datasets, snakemake.params.backbones)
    save(figure, list(snakemake.output))
