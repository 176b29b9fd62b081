"""Draw test errors against cost."""

from mekrr.job import job
from mekrr.plots import cost
from mekrr.plots.style import save
from mekrr.tables import read_tables

with job(snakemake):
    table = read_tables([snakemake.input.table])
    figure = cost.draw(table, snakemake.params.datasets, snakemake.params.backbones)
    save(figure, list(snakemake.output))
