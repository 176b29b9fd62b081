"""Kernels to errors with one part of the method changed at a time, split by split."""

import pandas as pd

from mekrr.features.store import read_layer
from mekrr.files import write_csv
from mekrr.kernels.store import read_kernels
from mekrr.models.problem import Problem
from mekrr.study.experiments.ablation import ablation
from mekrr.study.experiments.kernel_fits import Grid
from mekrr.study.job import job
from mekrr.study.recipes import recipes_from

with job(snakemake):
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    dataset, backbone, tables = wildcards.dataset, wildcards.backbone, []
    for seed, split, stored in zip(params.seeds, given.splits, given.kernels, strict=True):
        problem = Problem.read(given.frames, split, params.reference_energy, dataset)
        kernels, _ = read_kernels(stored)
        features = {layer: read_layer(given.features, layer) for layer in kernels}
        chosen = recipes_from(params.methods), Grid.of(**params.grid), params.lengthscales
        table = ablation(problem, kernels, features, *chosen, backbone, snakemake.threads)
        labels = {"dataset": dataset, "backbone": backbone, "seed": seed}
        tables.append(pd.DataFrame([labels]).merge(table, how="cross"))
    write_csv(snakemake.output.errors, pd.concat(tables, ignore_index=True))
