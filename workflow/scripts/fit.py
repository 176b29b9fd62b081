"""Fit the methods of one kind to a data set."""

from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import write_fit
from mekrr.study.experiments.kinds import kind_of
from mekrr.study.job import job

with job(snakemake):
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    kind = kind_of(params.kind).open(snakemake)
    rule, outputs = params.reference_energy, dict(snakemake.output.items())
    problem = Problem.read(given.table, given.split, rule, wildcards.dataset)
    fit = kind.fit(problem)
    if "model" in outputs:
        kind.model.save(outputs.pop("model"))
    write_fit(fit, dict(wildcards.items()), outputs)
    kind.close()
