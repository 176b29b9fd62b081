"""A network trained on one data set to predictions on the test frames of another."""

from mekrr.backbones.load import load_network
from mekrr.models.fits import Problem
from mekrr.models.network.fit import load_trained, other_frames, transfer_predictions
from mekrr.models.network.states import States
from mekrr.study.experiments.transfer import write_transfer
from mekrr.study.job import job

with job(snakemake):
    given, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
    names = wildcards.source, wildcards.target
    source, target = (
        (Problem.read(table, split, None, name), States(states))
        for table, split, states, name in zip(
            given.tables, given.splits, given.states, names, strict=True
        )
    )
    weights = next(iter(given.weights), None)
    network = load_network(wildcards.network, weights=weights, **params.model)
    problem, sample = other_frames(source, target, "test", network, params.reference_energy, names)
    scale = load_trained(given.model, network)
    table = transfer_predictions(problem, sample, network, scale, params.method)
    write_transfer(snakemake.output.predictions, table, dict(wildcards.items()))
