"""The training mean as a predictor."""

from mekrr.models.baselines import training_mean
from mekrr.models.fits import Problem, write_fit
from mekrr.study.job import job

with job(snakemake):
    problem = Problem.read(
        snakemake.input.frames,
        snakemake.input.split,
        snakemake.params.reference_energy,
        snakemake.wildcards.dataset,
    )
    write_fit(
        training_mean(problem), dict(snakemake.wildcards.items()), dict(snakemake.output.items())
    )
