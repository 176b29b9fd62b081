"""Train a network on some of the training frames; its test error, for several numbers of them."""

from pathlib import Path

import pandas as pd

from mekrr.backbones.load import load_network
from mekrr.data.frames import load_frames
from mekrr.files import write_csv
from mekrr.models.fits import Problem
from mekrr.models.network.fit import fewer_frames, fit_network, learning_curve
from mekrr.models.network.settings import Settings
from mekrr.models.network.states import States
from mekrr.study.job import job

with job(snakemake):
    given, wildcards, params = snakemake.input, snakemake.wildcards, snakemake.params
    rule, dataset, seed = params.reference_energy, wildcards.dataset, int(wildcards.seed)
    problem = Problem.read(given.table, given.split, rule, dataset)
    states, frames = States(given.states), load_frames(given.frames[0]) if given.frames else None
    weights = next(iter(given.weights), None)
    fits, checkpoints = [], []
    for n_train, part in fewer_frames(problem, params.n_train, seed, rule, dataset):
        checkpoints.append(Path(f"{params.checkpoint}-{n_train}.pt"))
        fitted = fit_network(
            part,
            load_network(wildcards.network, weights=weights, seed=seed, **params.model),
            states,
            Settings(**params.training),
            reference_energy=rule,
            source=dataset,
            seed=seed,
            checkpoint=checkpoints[-1],
            frames=frames,
        )
        fits.append(fitted)
    labels = pd.DataFrame([{key: wildcards[key] for key in ("dataset", "strategy", "seed")}])
    write_csv(snakemake.output.errors, labels.merge(learning_curve(fits, params.method), "cross"))
    for checkpoint in checkpoints:
        checkpoint.unlink(missing_ok=True)
