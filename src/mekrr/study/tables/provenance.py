"""The table of what the numbers were made with."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mekrr.features.store import read_provenance
from mekrr.files import write_csv
from mekrr.study.job import Step
from mekrr.study.provenance import source_sha256, versions
from mekrr.study.tables.printing.escapes import for_spreadsheet
from mekrr.study.tables.printing.write import write_listing

TITLE = "Provenance"
RAN, STUDY = "fits and tables", "study"  # of which a table states facts
RECORDED = ("theory", "licence", "citation", "surrogate_for", "published_as")


def write(step: Step) -> None:
    """Write versions, hardware and checksums behind the numbers."""
    table = study_table(
        step.params.study,
        step.params.datasets,
        dict(zip(step.params.datasets, step.input.frames, strict=True)),
        {path: read_provenance(path) for path in step.input.features},
    )
    write_csv(step.output.csv, table.map(for_spreadsheet))
    write_listing(step.output, table, TITLE)


def study_table(
    study: Mapping,
    datasets: Mapping[str, Mapping],
    frames: Mapping[str, str],
    features: Mapping[str, Mapping[str, str]],
) -> pd.DataFrame:
    """Return a table of what, item, value: this run, the study, its data, its feature files.

    Parameters
    ----------
    study : the configuration's section of that name.
    datasets : the registry's entries of the study's data sets.
    frames : the checked frames of each data set, whose record knows what they were read from.
    features : from a feature file to the record kept in it.
    """
    current = versions()
    rows = [(RAN, item, value) for item, value in current.items()]
    rows += [(STUDY, item, _text(value)) for item, value in study.items()]
    for name, entry in datasets.items():
        rows += [(f"data set {name}", "sha256", value) for value in source_sha256(frames[name])]
        rows += [(f"data set {name}", k, entry[k]) for k in RECORDED if k in entry]
    for path, record in features.items():
        changed = {k: v for k, v in record.items() if current.get(k) != v}
        rows += [(path, item, value) for item, value in changed.items()]
    return pd.DataFrame(rows, columns=["what", "item", "value"])


def facts(table: pd.DataFrame, what: str) -> dict[str, str]:
    """Return what such a table states of something, as text by item."""
    of_it = table[table["what"] == what]
    return dict(zip(of_it["item"], of_it["value"].astype(str), strict=True))


def _text(value: object) -> str:
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)
