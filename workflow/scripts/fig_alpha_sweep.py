"""Draw the validation error against α."""

from mekrr.job import job
from mekrr.plots import alpha_sweep
from mekrr.plots.style import save
from mekrr.tables import read_tables

with job(snakemake):
    sweep = read_tables(snakemake.input.sweeps)
    figure = alpha_sweep.draw(sweep, snakemake.params.datasets, snakemake.params.backbones)
    save(figure, list(snakemake.output))
