"""Run a step of the fits to large data sets, one of `mekrr.study.experiments.large`."""

from importlib import import_module

from mekrr.study.job import job

with job(snakemake):
    module, _, step = snakemake.params.step.rpartition(".")
    getattr(import_module(f"mekrr.study.experiments.large.{module}"), step)(snakemake)
