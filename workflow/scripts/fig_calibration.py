"""Draw the reliability of predicted standard deviations."""

from mekrr.job import job
from mekrr.plots import calibration
from mekrr.plots.style import save
from mekrr.tables import read_tables

with job(snakemake.log[0], snakemake.threads):
    figure = calibration.draw(
        read_tables([snakemake.input.reliability]),
        read_tables([snakemake.input.calibration]),
        snakemake.params.datasets,
    )
    save(figure, list(snakemake.output))
