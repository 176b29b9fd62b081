"""What README and the site take from a study: tables as texts, and numbers by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd
import yaml

from mekrr.files import atomic_path, write_csv
from mekrr.study.job import Step
from mekrr.study.tables.comparison import (
    METRICS,
    SHIFTED,
    Place,
    comparisons,
    dataset_places,
    transfer_places,
)
from mekrr.study.tables.forces import SHOWN
from mekrr.study.tables.printing.grid import Grid, extra
from mekrr.study.tables.printing.numbers import digits

FIT = {"strategy": str, "method": str, "backbone": str}
LETTERS = {"α": "alpha", "Δ": "delta", "λ": "lambda", "+": "and"}


def write(step: Step) -> None:
    """Write a table for each kind of error and way of splitting, and the numbers in them."""
    given, params = step.input, step.params
    folder = Path(step.output.record).parent
    name = Path(step.output.record).stem
    within = pd.read_csv(given.same_dataset, dtype=FIT).rename(columns={"dataset": "place"})
    across = pd.read_csv(given.transfer, dtype=FIT).rename(columns={"transfer": "place"})
    within, across = (table[table["strategy"].notna()] for table in (within, across))
    datasets = dataset_places(params.datasets)
    pairs = transfer_places(params.pairs, params.datasets)
    forces = within[within["force_seeds"].notna()]
    forces = forces.assign(n_seeds=forces["force_seeds"])
    kinds = {
        "same_dataset": (within, datasets, "rmse"),
        "forces": (forces, datasets, "force_rmse"),
        "transfer": (across, pairs, "rmse"),
        "transfer_shifted": (across, pairs, "rmse_shifted"),
    }
    numbers: dict[str, str] = {}
    for kind, (table, places, error) in kinds.items():
        for strategy, block in table.groupby("strategy", sort=False):
            path = folder / f"{name}.{kind}.{strategy}.csv"
            write_csv(path, texts(block, places, params.backbones, error))
        numbers |= named(table, error, "" if kind == "same_dataset" else f"{kind}_")
    run = described(pd.read_csv(given.provenance), params.command)
    with atomic_path(step.output.record) as temporary:
        text = yaml.safe_dump({"run": run, "numbers": numbers}, allow_unicode=True, sort_keys=False)
        temporary.write_text(text, encoding="utf-8")


def texts(
    table: pd.DataFrame, places: Mapping[str, Place], backbones: Mapping[str, str], error: str
) -> pd.DataFrame:
    """Return one error of every method (rows) in every place (columns), as it is printed."""
    nothing = pd.DataFrame(columns=["method", "published"])
    found = {name: place for name, place in places.items() if name in set(table["place"])}
    heading = {**METRICS, **SHIFTED, **SHOWN}[error]
    (grid,) = comparisons(table, nothing, found, backbones, {error: heading})
    return _plain(grid)


def _plain(grid: Grid) -> pd.DataFrame:
    columns = [*grid.stub, *(title for title, _ in grid.groups)]
    rows = [(*row.stub, *(cell.value + extra(cell) for cell in row.cells)) for row in grid.rows]
    return pd.DataFrame(rows, columns=columns)


def named(table: pd.DataFrame, error: str, prefix: str = "") -> dict[str, str]:
    """Return an error of every fit by a name that a page may write."""
    return {
        slug(f"{prefix}{row.place}_{row.strategy}_{row.method}_{row.backbone}"): digits(
            getattr(row, error), getattr(row, error)
        )
        for row in table.itertuples()
    }


def slug(text: str) -> str:
    """Return a text as an identifier: d2_surrogate_random_delta_mekrr_sevennet_0."""
    for letter, word in LETTERS.items():
        text = text.replace(letter, word)
    return re.sub(r"\W+", "_", text.removesuffix("_none")).strip("_").lower()


def described(provenance: pd.DataFrame, command: str) -> dict[str, str]:
    """Return what was run, of what code and where."""
    facts = provenance.set_index(["what", "item"])["value"]
    study, ran = facts["study"], facts["fits and tables"]
    return {
        "what": f"the study of {study['datasets']}; every {study['every']}. frame; "
        f"splits {study['splits']}; seeds {study['seeds']}",
        "command": command,
        "commit": ran["git"],
        "date": date.today().isoformat(),
        "machine": f"{ran['cores']} cores of {ran['cpu']}, torch {ran['torch']}, {ran['blas']}",
    }
