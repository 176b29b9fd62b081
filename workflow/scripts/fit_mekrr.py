"""Kernels to the predictions of MEKRR and MEKRR-α."""

import numpy as np

from mekrr.fits import Problem, fit_kernels, write_fit
from mekrr.job import job
from mekrr.kernels.store import read_kernels
from mekrr.selection import alpha_grid, regularisation_grid

with job(snakemake.log[0], snakemake.threads):
    problem = Problem.read(
        snakemake.input.frames,
        snakemake.input.split,
        snakemake.params.reference_energy,
        snakemake.wildcards.dataset,
    )
    kernels, _ = read_kernels(snakemake.input.kernels)
    fit = fit_kernels(
        problem,
        kernels,
        {"MEKRR": np.zeros(1), "MEKRR-alpha": alpha_grid(**snakemake.params.grid["alpha"])},
        regularisation_grid(**snakemake.params.grid["regularisation"]),
        snakemake.wildcards.backbone,
    )
    write_fit(fit, dict(snakemake.wildcards.items()), dict(snakemake.output.items()))
