"""Fit the methods of one kind to fewer and fewer training frames; their test errors."""

import pandas as pd

from mekrr.data.frames import load_frames
from mekrr.files import write_csv
from mekrr.models.problem import Problem
from mekrr.study.experiments.forces import errors_of_fits
from mekrr.study.experiments.kinds import kind_of
from mekrr.study.experiments.learning import learning_curve
from mekrr.study.job import job

with job(snakemake):
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    dataset, rule = wildcards.dataset, params.reference_energy
    kind = kind_of(params.kind).open(snakemake)
    problem = Problem.read(given.table, given.split, None, dataset)
    forces = errors_of_fits(snakemake, kind, problem, load_frames(given.compared))
    asked = problem, params.n_train, int(wildcards.seed), rule, dataset
    curve = learning_curve(kind.fit, *asked, forces)
    labels = pd.DataFrame([{key: wildcards[key] for key in ("dataset", "strategy", "seed")}])
    write_csv(snakemake.output.errors, labels.merge(curve, how="cross"))
    kind.close()
