"""Fits on one data set to predictions on the test frames of another."""

import numpy as np
import pandas as pd

from mekrr.features.store import read_gnn_energy, read_layer
from mekrr.models.fits import Problem
from mekrr.study.experiments.transfer import join_frames, transfer, transfer_problem, write_transfer
from mekrr.study.job import job

with job(snakemake):
    given, wildcards, rule = snakemake.input, snakemake.wildcards, snakemake.params.reference_energy
    names = wildcards.source, wildcards.target
    source = Problem.read(given.source_frames, given.source_split, None, names[0])
    target = Problem.read(given.target_frames, given.target_split, None, names[1])
    problem = transfer_problem(source, target, rule, names)
    choices = pd.concat([pd.read_csv(path) for path in given.choices], ignore_index=True)
    train, test = source.members("train"), target.members("test")
    features = {
        layer: join_frames(
            read_layer(given.source_features, layer).select(train),
            read_layer(given.target_features, layer).select(test),
        )
        for layer in choices.loc[choices["chosen"], "layer"].dropna().astype(int).unique()
    }
    energies = [read_gnn_energy(given.source_features), read_gnn_energy(given.target_features)]
    energy = delta = None
    if energies[0] is not None:
        energy = np.concatenate([energies[0][train], energies[1][test]])
        delta = problem.beyond(energy, rule, names[0])
    table = transfer(
        problem, choices, features, delta=delta, gnn_energy=energy, threads=snakemake.threads
    )
    write_transfer(snakemake.output.predictions, table, dict(wildcards.items()))
