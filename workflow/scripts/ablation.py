"""Kernels to errors with one part of the method changed at a time, split by split."""

import pandas as pd

from mekrr.features.store import read_layer
from mekrr.files import write_csv
from mekrr.kernels.store import read_kernels
from mekrr.models.fits import Problem
from mekrr.models.select import alpha_grid, regularisation_grid
from mekrr.study.experiments.ablation import ablation
from mekrr.study.job import job

with job(snakemake):
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    tables = []
    for seed, split, stored in zip(params.seeds, given.splits, given.kernels, strict=True):
        kernels, _ = read_kernels(stored)
        table = ablation(
            Problem.read(given.frames, split, params.reference_energy, wildcards.dataset),
            kernels,
            {layer: read_layer(given.features, layer) for layer in kernels},
            alpha_grid(**params.grid["alpha"]),
            regularisation_grid(**params.grid["regularisation"]),
            params.lengthscales,
            wildcards.backbone,
            snakemake.threads,
        )
        labels = {"dataset": wildcards.dataset, "backbone": wildcards.backbone, "seed": seed}
        tables.append(pd.DataFrame([labels]).merge(table, how="cross"))
    write_csv(snakemake.output.errors, pd.concat(tables, ignore_index=True))
