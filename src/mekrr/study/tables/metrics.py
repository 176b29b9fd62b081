"""The table of errors: every fit, layer and part of the frames."""

from __future__ import annotations

from mekrr.files import write_csv
from mekrr.study.job import Step
from mekrr.study.tables.tidy import all_metrics, read_tables


def write(step: Step) -> None:
    """Write the errors of all predictions."""
    predictions, choices = read_tables(step.input.predictions), read_tables(step.input.choices)
    write_csv(step.output.csv, all_metrics(predictions, choices))
