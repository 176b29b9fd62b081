"""Predict another data set's test frames by fits on the origin, one for each seed."""

from mekrr.study.experiments.kinds import kind_of
from mekrr.study.experiments.transfer import Transfer, write_transfer
from mekrr.study.job import job

with job(snakemake):
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    names = wildcards.source, wildcards.target
    transfers = [
        Transfer.read(given.tables, splits, params.reference_energy, names)
        for splits in zip(given.origin_splits, given.destination_splits, strict=True)
    ]
    predictions = kind_of(params.kind).transfer(snakemake, transfers)
    by_seed = dict(zip(params.seeds, predictions, strict=True))
    write_transfer(snakemake.output.predictions, by_seed, dict(wildcards.items()))
