"""Draw predicted against reference energies."""

from mekrr.study.job import job
from mekrr.study.plots import parity
from mekrr.study.plots.style import save
from mekrr.study.tables.tidy import chosen_test_predictions, read_tables

with job(snakemake):
    table = chosen_test_predictions(
        read_tables(snakemake.input.predictions), read_tables(snakemake.input.choices)
    )
    params = snakemake.params
    figure = parity.draw(table, snakemake.wildcards.dataset, params.datasets, params.backbones)
    save(figure, list(snakemake.output))
