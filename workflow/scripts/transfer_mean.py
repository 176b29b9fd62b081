"""The source's training mean as a predictor of another data set's test frames."""

import pandas as pd

from mekrr.models.fits import Problem
from mekrr.study.experiments.transfer import transfer, transfer_problem, write_transfer
from mekrr.study.job import job

with job(snakemake):
    given, wildcards = snakemake.input, snakemake.wildcards
    names = wildcards.source, wildcards.target
    source = Problem.read(given.source_frames, given.source_split, None, names[0])
    target = Problem.read(given.target_frames, given.target_split, None, names[1])
    problem = transfer_problem(source, target, snakemake.params.reference_energy, names)
    table = transfer(problem, pd.read_csv(given.choices[0]), {})
    write_transfer(snakemake.output.predictions, table, dict(wildcards.items()))
