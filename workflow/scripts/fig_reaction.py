"""Draw test errors along the reaction coordinate."""

from mekrr.study.job import job
from mekrr.study.plots import reaction
from mekrr.study.plots.style import save
from mekrr.study.tables.tidy import read_tables

with job(snakemake):
    dataset, params = snakemake.wildcards.dataset, snakemake.params
    entry = params.datasets[dataset]
    figure = reaction.draw(
        read_tables([snakemake.input.errors]),
        entry["collective_variables"][0],
        entry.get("event"),
        dataset,
        params.datasets,
        params.backbones,
    )
    save(figure, list(snakemake.output))
