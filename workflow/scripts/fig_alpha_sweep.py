"""Draw the validation error against α."""

from mekrr.study.job import job
from mekrr.study.plots import alpha_sweep
from mekrr.study.plots.style import save
from mekrr.study.tables.tidy import read_tables

with job(snakemake):
    sweep = read_tables(snakemake.input.sweeps)
    figure = alpha_sweep.draw(sweep, snakemake.params.datasets, snakemake.params.backbones)
    save(figure, list(snakemake.output))
