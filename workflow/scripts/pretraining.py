"""Run a step of a pre-training, one of `mekrr.study.pretraining`."""

from importlib import import_module

from mekrr.study.job import job

with job(snakemake):
    module, _, step = snakemake.params.step.rpartition(".")
    getattr(import_module(f"mekrr.study.pretraining.{module}"), step)(snakemake)
