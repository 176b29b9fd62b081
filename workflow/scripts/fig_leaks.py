"""Draw how close test frames are to training frames."""

from mekrr.job import job
from mekrr.plots import leaks
from mekrr.plots.style import save
from mekrr.tables import read_tables

with job(snakemake):
    save(
        leaks.draw(read_tables(snakemake.input.leaks), snakemake.params.datasets),
        list(snakemake.output),
    )
