"""The training mean as a predictor."""

import pandas as pd

from mekrr.baselines import training_mean
from mekrr.fits import Problem, write_fit
from mekrr.job import job

with job(snakemake.log[0], snakemake.threads):
    problem = Problem.from_tables(
        pd.read_csv(snakemake.input.frames), pd.read_csv(snakemake.input.split)
    )
    write_fit(
        training_mean(problem), dict(snakemake.wildcards.items()), dict(snakemake.output.items())
    )
