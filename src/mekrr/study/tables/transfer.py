"""Table 2: errors on another data set than that of the fit, beside the published ones."""

from __future__ import annotations

from mekrr.files import write_csv
from mekrr.study.job import Step
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


def write(step: Step) -> None:
    """Write the errors of all transfers, and Table 2 in all forms."""
    backbones = step.params.backbones
    places = transfer_places(step.params.pairs, step.params.datasets)
    published = read_published(step.input.published)
    metrics = transfer_metrics(read_tables(step.input.predictions), read_tables(step.input.choices))
    write_csv(step.output.metrics, metrics)
    place = place_of_pair(metrics["source"], metrics["target"])
    table = with_published(summary(metrics.assign(place=place)), published, places)
    write_csv(step.output.csv, table.rename(columns={"place": "transfer"}))
    write_printed(
        step.output,
        "Table 2",
        f"Transfer from one data set to another, meV/atom{standing_in(places)}",
        transfer_comparisons(table, published, places, backbones),
        [flat(seed_by_seed(table, places, backbones), "Seed by seed")],
        transfer_notes(places, step.params.settings),
    )
