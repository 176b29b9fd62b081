"""Errors of forces in tables: of every fit, and over seeds as Table 1 has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from mekrr.metrics import force_errors
from mekrr.study.tables.comparison import FIT, Place, comparisons
from mekrr.study.tables.printing.grid import Grid
from mekrr.study.tables.tidy import FIT as ONE_FIT
from mekrr.study.tables.tidy import read_tables

SHOWN = {"force_rmse": "RMSE", "force_mae": "MAE"}


def read_force_errors(paths: Sequence[str]) -> pd.DataFrame | None:
    """Return the errors of forces of every fit in tables of them; None if no frame has forces."""
    table = read_tables(paths) if paths else pd.DataFrame()
    return None if table.empty else force_errors(table, ONE_FIT)


def with_forces(table: pd.DataFrame, forces: pd.DataFrame | None) -> pd.DataFrame:
    """Return a summary (`mekrr.study.tables.comparison`) with errors of forces as last columns.

    These are force_seeds, the number of seeds, force_frames of all of them, and means over seeds
    of the errors of `force_errors`, with the standard deviation (``_std``) of those over all
    components.
    """
    if forces is None:
        return table
    by = ["dataset", *FIT]
    groups = forces.groupby(by)
    errors = [c for c in forces if c.startswith(tuple(SHOWN))]
    seeds = groups.agg(force_seeds=("seed", "nunique"), force_frames=("force_frames", "sum"))
    spreads = groups[[*SHOWN]].std(ddof=1).add_suffix("_std")
    columns = pd.concat([seeds, groups[errors].mean(), spreads], axis=1).reset_index()
    counts = dict.fromkeys(seeds, "Int64")
    columns = columns.rename(columns={"dataset": "place"})
    return table.merge(columns, how="left", on=["place", *FIT]).astype(counts)


def compared(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table as from `with_forces` that have any, with the seeds of these."""
    table = table[table["force_seeds"].notna()]
    return table.assign(n_seeds=table["force_seeds"])


def force_comparisons(
    table: pd.DataFrame, places: Mapping[str, Place], backbones: Mapping[str, str]
) -> list[Grid]:
    """Return a grid of errors of forces per way of splitting that has any.

    Parameters
    ----------
    table : as from `with_forces`.
    places : groups of columns, in order; those without forces are left out.
    backbones : titles of backbones, in order.
    """
    if "force_seeds" not in table:
        return []
    table = compared(table)
    found = {name: place for name, place in places.items() if name in set(table["place"])}
    nothing = pd.DataFrame(columns=["method", "published"])
    return comparisons(
        table, nothing, found, backbones, SHOWN, "errors of forces, meV/Å", detail=_by_species
    )


def _by_species(row: pd.Series) -> str:
    """What an HTML page shows of a fit: errors of each species, and their mean."""
    parts = []
    for error, name in SHOWN.items():
        species = [c for c in row.index if c.startswith(f"{error}_") and pd.notna(row[c])]
        species = [c for c in species if c != f"{error}_std"]
        values = ", ".join(f"{c.removeprefix(f'{error}_')} {row[c]:.0f}" for c in species)
        parts.append(f"{name} of {values.replace('species', 'mean of the species')}")
    return "; ".join(parts)
