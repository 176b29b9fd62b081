"""Train a network on one data set, the epoch chosen on validation frames of another."""

from mekrr.study.experiments.kinds.network import Models
from mekrr.study.experiments.transfer import Transfer
from mekrr.study.job import job

with job(snakemake):
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    names = wildcards.source, wildcards.target
    transfer = Transfer.read(given.tables, given.splits, params.reference_energy, names)
    kind = Models.train_for(snakemake, transfer)
    kind.model.save(snakemake.output.model)
    kind.close()
