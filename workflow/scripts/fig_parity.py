"""Draw predicted against reference energies."""

from mekrr.job import job
from mekrr.plots import parity
from mekrr.plots.style import save
from mekrr.tables import chosen_test_predictions, read_tables

with job(snakemake):
    table = chosen_test_predictions(
        read_tables(snakemake.input.predictions), read_tables(snakemake.input.choices)
    )
    params = snakemake.params
    figure = parity.draw(table, snakemake.wildcards.dataset, params.datasets, params.backbones)
    save(figure, list(snakemake.output))
