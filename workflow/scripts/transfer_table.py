"""Table 2: errors on another data set than that of the fit, beside the published ones."""

from mekrr.files import write_csv
from mekrr.study.job import job
from mekrr.study.tables.comparison import (
    place_of_pair,
    read_published,
    seed_by_seed,
    standing_in,
    summary,
    transfer_comparisons,
    transfer_places,
    with_published,
)
from mekrr.study.tables.notes import transfer_notes
from mekrr.study.tables.printing.grid import flat
from mekrr.study.tables.printing.write import write_printed
from mekrr.study.tables.tidy import read_tables, transfer_metrics

with job(snakemake):
    backbones = snakemake.params.backbones
    places = transfer_places(snakemake.params.pairs, snakemake.params.datasets)
    published = read_published(snakemake.input.published)
    metrics = transfer_metrics(
        read_tables(snakemake.input.predictions), read_tables(snakemake.input.choices)
    )
    write_csv(snakemake.output.metrics, metrics)
    place = place_of_pair(metrics["source"], metrics["target"])
    table = with_published(summary(metrics.assign(place=place)), published, places)
    write_csv(snakemake.output.csv, table.rename(columns={"place": "transfer"}))
    write_printed(
        snakemake.output,
        "Table 2",
        f"Transfer from one data set to another, meV/atom{standing_in(places)}",
        transfer_comparisons(table, published, places, backbones),
        [flat(seed_by_seed(table, places, backbones), "Seed by seed")],
        transfer_notes(places, snakemake.params.settings),
    )
