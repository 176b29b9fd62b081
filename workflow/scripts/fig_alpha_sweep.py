"""Draw the validation error against α."""

from mekrr.job import job
from mekrr.plots import alpha_sweep
from mekrr.plots.style import save
from mekrr.tables import read_tables

with job(snakemake.log[0], snakemake.threads):
    sweep = read_tables(snakemake.input.sweeps)
    save(alpha_sweep.draw(sweep, snakemake.params.datasets), list(snakemake.output))
