"""Draw what a rule fig_NAME shows, by `mekrr.study.plots.NAME`."""

from importlib import import_module

from mekrr.study.job import job
from mekrr.study.plots.style import save

with job(snakemake):
    plot = import_module(f"mekrr.study.plots.{snakemake.rule.removeprefix('fig_')}")
    for name, figure in plot.figures(snakemake).items():
        save(figure, snakemake.output[name])
