"""Train a network on some of the training frames; its test error."""

from pathlib import Path

from mekrr.data.frames import load_frames
from mekrr.files import write_csv
from mekrr.fits import Problem
from mekrr.job import job
from mekrr.training.fit import fewer_frames, fit_network, learning_point
from mekrr.training.registry import load_network
from mekrr.training.settings import Settings
from mekrr.training.states import States

with job(snakemake):
    given, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
    rule, dataset, seed = params.reference_energy, wildcards.dataset, int(wildcards.seed)
    problem = Problem.read(given.table, given.split, rule, dataset)
    problem = fewer_frames(problem, int(wildcards.n_train), seed, rule, dataset)
    fitted = problem and fit_network(
        problem,
        load_network(
            wildcards.network, weights=next(iter(given.weights), None), seed=seed, **params.model
        ),
        States(given.states),
        Settings(**params.training),
        reference_energy=rule,
        source=dataset,
        seed=seed,
        checkpoint=params.checkpoint,
        frames=load_frames(given.frames[0]) if given.frames else None,
    )
    table = learning_point(fitted, params.method)
    for position, column in enumerate(("dataset", "strategy", "seed")):
        table.insert(position, column, wildcards[column])
    write_csv(snakemake.output.errors, table)
    Path(params.checkpoint).unlink(missing_ok=True)
