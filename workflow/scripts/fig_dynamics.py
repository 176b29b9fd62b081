"""Draw the dynamics behind a surrogate."""

import pandas as pd

from mekrr.study.job import job
from mekrr.study.plots import dynamics
from mekrr.study.plots.style import save, title_of

with job(snakemake):
    dataset = snakemake.wildcards.dataset
    entry, recipe = snakemake.params.dataset, snakemake.params.recipe
    figure = dynamics.draw(
        pd.read_csv(snakemake.input.facts),
        entry["collective_variables"][0],
        [run["temperature"] for run in recipe["runs"]],
        title_of({dataset: entry}, dataset),
    )
    save(figure, list(snakemake.output))
