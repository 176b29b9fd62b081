"""The table of what data sets and their splits are like."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mekrr.study.job import Step
from mekrr.study.tables.printing.write import write_listing
from mekrr.study.tables.tidy import read_tables

TITLE = "Data sets and their splits"
NOTES = (
    "A test frame that has a training frame next to it says little about new geometries: the "
    "share of such frames is the leak of a split. Errors of a leaking split flatter every method.",
)
FACTS = ("system", "theory", "licence", "citation")


def write(step: Step) -> None:
    """Write the findings on all data sets of the study."""
    table = with_facts(read_tables(step.input.checks), step.params.datasets)
    write_listing(step.output, table, TITLE, NOTES)


def with_facts(checks: pd.DataFrame, datasets: Mapping[str, Mapping]) -> pd.DataFrame:
    """Return findings, above those on each data set what the registry says of it.

    Parameters
    ----------
    checks : dataset, check, status and result, one data set after another.
    datasets : the registry's entries.
    """
    parts = []
    for name, findings in checks.groupby("dataset", sort=False):
        entry = datasets[name]
        facts = [(name, key, "", entry[key]) for key in FACTS if key in entry]
        parts += [pd.DataFrame(facts, columns=checks.columns), findings]
    return pd.concat(parts)
