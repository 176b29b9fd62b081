"""Draw test errors against the number of training frames."""

from mekrr.job import job
from mekrr.plots import learning
from mekrr.plots.style import save
from mekrr.tables import read_tables

with job(snakemake):
    table = read_tables([snakemake.input.table])
    figure = learning.draw(table, snakemake.params.datasets, snakemake.params.backbones)
    save(figure, list(snakemake.output))
