"""The table of learning curves."""

from __future__ import annotations

from mekrr.files import write_csv
from mekrr.study.experiments.learning import with_whole_set
from mekrr.study.job import Step
from mekrr.study.tables.forces import read_force_errors
from mekrr.study.tables.tidy import read_tables


def write(step: Step) -> None:
    """Write all learning curves, with the fits of the study as their last points."""
    subsets, metrics = read_tables(step.input.errors), read_tables([step.input.metrics])
    forces = read_force_errors(step.input.forces)
    write_csv(step.output.csv, with_whole_set(subsets, metrics, forces))
