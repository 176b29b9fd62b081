"""Draw the eigenvalues of the training kernels."""

from mekrr.job import job
from mekrr.plots import spectrum
from mekrr.plots.style import save
from mekrr.tables import read_tables

with job(snakemake):
    figure = spectrum.draw(
        read_tables(snakemake.input.eigenvalues),
        read_tables(snakemake.input.noise),
        snakemake.params.datasets,
        snakemake.params.backbones,
    )
    save(figure, list(snakemake.output))
