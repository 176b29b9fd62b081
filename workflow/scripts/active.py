"""Run a step of a loop, one of `mekrr.study.active`."""

from importlib import import_module

from mekrr.study.job import job

with job(snakemake):
    module, _, step = snakemake.params.step.rpartition(".")
    getattr(import_module(f"mekrr.study.active.{module}"), step)(snakemake)
