"""Write the table of a rule NAME_table, by `mekrr.study.tables.NAME`."""

from importlib import import_module

from mekrr.study.job import job

with job(snakemake):
    table = import_module(f"mekrr.study.tables.{snakemake.rule.removesuffix('_table')}")
    table.write(snakemake)
