"""Draw all frames along the principal components of the training kernel."""

import pandas as pd

from mekrr.data.variables import axis_label, label
from mekrr.study.job import job
from mekrr.study.plots import kernel_pca
from mekrr.study.plots.style import save
from mekrr.study.tables.tidy import read_tables

with job(snakemake):
    dataset, params = snakemake.wildcards.dataset, snakemake.params
    table = pd.read_csv(snakemake.input.table)
    energy = 1000 * table["energy"] / table["n_atoms"]
    colourings = {"Energy from the mean (meV/atom)": energy - energy.mean()}
    variables = pd.read_csv(snakemake.input.variables)
    for variable in params.datasets[dataset].get("collective_variables", [])[:1]:
        colourings[axis_label(variable)] = variables[label(variable)]
    components = read_tables(snakemake.input.components)
    figure = kernel_pca.draw(components, colourings, dataset, params.datasets, params.backbones)
    save(figure, list(snakemake.output))
