"""Draw test errors against the number of training frames."""

from mekrr.study.job import job
from mekrr.study.plots import learning
from mekrr.study.plots.style import save
from mekrr.study.tables.tidy import read_tables

with job(snakemake):
    table = read_tables([snakemake.input.table])
    figure = learning.draw(table, snakemake.params.datasets, snakemake.params.backbones)
    save(figure, list(snakemake.output))
