"""Train a network on one data set, the epoch chosen on validation frames of another."""

from pathlib import Path

from mekrr.backbones.load import load_network
from mekrr.data.frames import load_frames
from mekrr.models.fits import Problem
from mekrr.models.network.fit import fit_network, other_frames
from mekrr.models.network.settings import Settings
from mekrr.models.network.states import States
from mekrr.study.job import job

with job(snakemake):
    given, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
    rule, names, seed = params.reference_energy, (wildcards.source, wildcards.target), None
    seed, weights = int(wildcards.seed), next(iter(given.weights), None)
    source, target = (
        (Problem.read(table, split, None, name), States(states))
        for table, split, states, name in zip(
            given.tables, given.splits, given.states, names, strict=True
        )
    )
    network = load_network(wildcards.network, weights=weights, seed=seed, **params.model)
    _, validation = other_frames(source, target, "val", network, rule, names)
    fitted = fit_network(
        source[0].with_references(rule, names[0]),
        network,
        source[1],
        Settings(**params.training),
        reference_energy=rule,
        source=names[0],
        seed=seed,
        checkpoint=params.checkpoint,
        frames=load_frames(given.frames[0]) if given.frames else None,
        validation=validation,
    )
    fitted.save(snakemake.output.model, dict(wildcards.items()) | params.model)
    Path(params.checkpoint).unlink(missing_ok=True)
