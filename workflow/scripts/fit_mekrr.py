"""Kernels to the predictions of MEKRR, MEKRR-α and their extensions."""

import numpy as np

from mekrr.features.store import read_gnn_energy
from mekrr.kernels.store import read_kernels
from mekrr.models.fits import MEKRR_METHODS, Problem, fit_kernels, write_fit
from mekrr.models.select import alpha_grid, regularisation_grid
from mekrr.study.job import job

with job(snakemake):
    reference, dataset = snakemake.params.reference_energy, snakemake.wildcards.dataset
    problem = Problem.read(snakemake.input.frames, snakemake.input.split, reference, dataset)
    energy = read_gnn_energy(snakemake.input.features)
    kernels, _ = read_kernels(snakemake.input.kernels)
    alphas = alpha_grid(**snakemake.params.grid["alpha"])
    fit = fit_kernels(
        problem,
        kernels,
        dict.fromkeys(MEKRR_METHODS, alphas) | {"MEKRR": np.zeros(1)},
        regularisation_grid(**snakemake.params.grid["regularisation"]),
        snakemake.wildcards.backbone,
        delta=None if energy is None else problem.beyond(energy, reference, dataset),
        threads=snakemake.threads,
    )
    write_fit(fit, dict(snakemake.wildcards.items()), dict(snakemake.output.items()))
