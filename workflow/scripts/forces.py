"""Errors of the forces of what was fitted, on test frames, and what models state of them."""

import pandas as pd

from mekrr.data.frames import load_frames
from mekrr.files import write_csv
from mekrr.models.problem import Problem
from mekrr.study.experiments.forces import drawn_frames, force_sums, with_labels
from mekrr.study.experiments.potentials import potentials
from mekrr.study.experiments.slopes import slopes_of
from mekrr.study.job import job

with job(snakemake):
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    problem = Problem.read(given.table, given.split, params.reference_energy, wildcards.dataset)
    frames = load_frames(given.frames)
    members = drawn_frames(problem, frames, params.n_frames, int(wildcards.seed))
    made = list(potentials(params.kind, snakemake, problem)) if members else []
    choices = pd.concat([pd.read_csv(path) for path in given.choices], ignore_index=True)
    sums, labels = force_sums(made, problem, frames, members), dict(wildcards.items())
    write_csv(snakemake.output.forces, with_labels(sums, choices, labels))
    if "slopes" in snakemake.output.keys():  # noqa: SIM118, as Snakemake's outputs are no dict
        slopes = slopes_of(made, problem, frames, given.features, given.directions)
        write_csv(snakemake.output.slopes, with_labels(slopes, choices, labels))
