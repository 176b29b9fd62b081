"""Features to the predictions of ridge regression and of the untouched network."""

from mekrr.data.units import unit_doubt
from mekrr.features.store import read_gnn_energy, read_layer
from mekrr.models.baselines import linear_ridge, species_ridge, untouched_gnn
from mekrr.models.fits import Problem, join, write_fit
from mekrr.models.select import regularisation_grid
from mekrr.study.job import TERMINAL, job

with job(snakemake):
    problem = Problem.read(
        snakemake.input.frames,
        snakemake.input.split,
        snakemake.params.reference_energy,
        snakemake.wildcards.dataset,
    )
    backbone = snakemake.wildcards.backbone
    features = {
        layer: read_layer(snakemake.input.features, layer) for layer in snakemake.params.layers
    }
    grid = regularisation_grid(**snakemake.params.grid["regularisation"])
    fits = [fit(problem, features, grid, backbone) for fit in (linear_ridge, species_ridge)]
    energy = read_gnn_energy(snakemake.input.features)
    if energy is not None:
        doubt = unit_doubt(problem.energy, energy, problem.frames["formula"])
        if doubt:
            TERMINAL.warning("%s: %s: %s", snakemake.wildcards.dataset, backbone, doubt)
        fits.append(untouched_gnn(problem, energy, backbone))
    write_fit(join(fits), dict(snakemake.wildcards.items()), dict(snakemake.output.items()))
