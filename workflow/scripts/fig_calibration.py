"""Draw the reliability of predicted standard deviations."""

from mekrr.job import job
from mekrr.plots import calibration
from mekrr.plots.style import save
from mekrr.tables import read_tables

with job(snakemake):
    figure = calibration.draw(
        read_tables([snakemake.input.reliability]),
        read_tables([snakemake.input.calibration]),
        snakemake.params.datasets,
        snakemake.params.backbones,
    )
    save(figure, list(snakemake.output))
