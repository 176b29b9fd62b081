"""Draw the dynamics behind a surrogate."""

import pandas as pd

from mekrr.job import job
from mekrr.plots import dynamics
from mekrr.plots.style import save

with job(snakemake):
    entry, recipe = snakemake.params.dataset, snakemake.params.recipe
    figure = dynamics.draw(
        pd.read_csv(snakemake.input.facts),
        entry["collective_variables"][0],
        [run["temperature"] for run in recipe["runs"]],
        entry.get("title", snakemake.wildcards.dataset),
    )
    save(figure, list(snakemake.output))
