"""The table of the dynamics behind the surrogates, run by run."""

from __future__ import annotations

from mekrr.files import write_csv
from mekrr.study.job import Step
from mekrr.study.tables.printing.write import write_listing
from mekrr.study.tables.tidy import read_tables

TITLE = "Dynamics behind the surrogates"
NOTES = (
    "Drift: slope of the potential energy over the run, reactions included. Bond: N–N or C–H. "
    "Farthest: the largest value in the run, of the shortest distance between adsorbate and metal, "
    "and of the displacement of a metal atom (any, and in the fixed layers) since its first frame.",
)


def write(step: Step) -> None:
    """Write the summaries of all surrogates of the study."""
    table = read_tables(step.input.summaries)
    write_csv(step.output.csv, table)
    printed = table.map(lambda value: f"{value:.2f}" if isinstance(value, float) else str(value))
    write_listing(step.output, printed, TITLE, NOTES)
