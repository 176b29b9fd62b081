"""Draw how close test frames are to training frames."""

from mekrr.study.job import job
from mekrr.study.plots import leaks
from mekrr.study.plots.style import save
from mekrr.study.tables.tidy import read_tables

with job(snakemake):
    save(
        leaks.draw(read_tables(snakemake.input.leaks), snakemake.params.datasets),
        list(snakemake.output),
    )
