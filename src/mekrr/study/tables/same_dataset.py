"""Table 1: test errors within one data set, beside the published ones."""

from __future__ import annotations

from mekrr.files import write_csv
from mekrr.study.job import Step
from mekrr.study.tables.comparison import (
    comparisons,
    dataset_places,
    read_published,
    seed_by_seed,
    standing_in,
    summary,
    with_published,
)
from mekrr.study.tables.forces import force_comparisons, read_force_errors, with_forces
from mekrr.study.tables.notes import same_dataset_notes
from mekrr.study.tables.printing.grid import flat
from mekrr.study.tables.printing.write import write_printed
from mekrr.study.tables.tidy import chosen_test_metrics, read_tables


def write(step: Step) -> None:
    """Write Table 1 in all forms."""
    places, backbones = dataset_places(step.params.datasets), step.params.backbones
    published = read_published(step.input.published)
    metrics = chosen_test_metrics(read_tables([step.input.metrics]))
    table = with_published(summary(metrics.assign(place=metrics["dataset"])), published, places)
    table = with_forces(table, read_force_errors(step.input.forces))
    write_csv(step.output.csv, table.rename(columns={"place": "dataset"}))
    write_printed(
        step.output,
        "Table 1",
        f"Errors within one data set, meV/atom{standing_in(places)}",
        [
            *comparisons(table, published, places, backbones),
            *force_comparisons(table, places, backbones),
        ],
        [flat(seed_by_seed(table, places, backbones), "Seed by seed")],
        same_dataset_notes(places, step.params.settings, step.params.n_frames),
    )
