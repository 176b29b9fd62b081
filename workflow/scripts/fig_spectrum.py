"""Draw the eigenvalues of the training kernels."""

from mekrr.study.job import job
from mekrr.study.plots import spectrum
from mekrr.study.plots.style import save
from mekrr.study.tables.tidy import read_tables

with job(snakemake):
    figure = spectrum.draw(
        read_tables(snakemake.input.eigenvalues),
        read_tables(snakemake.input.noise),
        snakemake.params.datasets,
        snakemake.params.backbones,
    )
    save(figure, list(snakemake.output))
