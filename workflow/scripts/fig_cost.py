"""Draw test errors against cost."""

from mekrr.study.job import job
from mekrr.study.plots import cost
from mekrr.study.plots.style import save
from mekrr.study.tables.tidy import read_tables

with job(snakemake):
    table = read_tables([snakemake.input.table])
    figure = cost.draw(table, snakemake.params.datasets, snakemake.params.backbones)
    save(figure, list(snakemake.output))
