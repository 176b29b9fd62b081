"""Predict another data set's test frames by fits on the origin."""

from mekrr.study.experiments.kinds import kind_of
from mekrr.study.experiments.transfer import Transfer, write_transfer
from mekrr.study.job import job

with job(snakemake):
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    names = wildcards.source, wildcards.target
    transfer = Transfer.read(given.tables, given.splits, params.reference_energy, names)
    predictions = kind_of(params.kind).transfer(snakemake, transfer)
    write_transfer(snakemake.output.predictions, predictions, dict(wildcards.items()))
