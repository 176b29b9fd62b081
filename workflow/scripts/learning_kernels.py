"""Kernels to test errors against the number of training frames."""

import pandas as pd

from mekrr.features.store import read_gnn_energy, read_layer
from mekrr.files import write_csv
from mekrr.kernels.store import read_kernels
from mekrr.models.fits import Problem
from mekrr.models.select import alpha_grid, regularisation_grid
from mekrr.study.experiments.learning import frame_means, learning_curve
from mekrr.study.job import job

with job(snakemake):
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    kernels, _ = read_kernels(given.kernels)
    table = learning_curve(
        Problem.read(given.frames, given.split, None, wildcards.dataset),
        params.reference_energy,
        wildcards.dataset,
        params.n_train,
        int(wildcards.seed),
        kernels,
        {layer: frame_means(read_layer(given.features, layer)) for layer in kernels},
        read_gnn_energy(given.features),
        alpha_grid(**params.grid["alpha"]),
        regularisation_grid(**params.grid["regularisation"]),
        wildcards.backbone,
        snakemake.threads,
    )
    labels = pd.DataFrame([{key: wildcards[key] for key in ("dataset", "strategy", "seed")}])
    write_csv(snakemake.output.errors, labels.merge(table, how="cross"))
