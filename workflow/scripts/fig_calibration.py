"""Draw the reliability of predicted standard deviations."""

from mekrr.study.job import job
from mekrr.study.plots import calibration
from mekrr.study.plots.style import save
from mekrr.study.tables.tidy import read_tables

with job(snakemake):
    figure = calibration.draw(
        read_tables([snakemake.input.reliability]),
        read_tables([snakemake.input.calibration]),
        snakemake.params.datasets,
        snakemake.params.backbones,
    )
    save(figure, list(snakemake.output))
