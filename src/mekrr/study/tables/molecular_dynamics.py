"""The table of molecular dynamics with what was fitted, as it is printed."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mekrr.files import write_csv
from mekrr.study.experiments.molecular_dynamics.facts import TRUE, read_facts, summaries
from mekrr.study.job import Step
from mekrr.study.methods import ORDER, label
from mekrr.study.tables.comparison import backbone_title
from mekrr.study.tables.printing.grid import MISSING, Cell, Grid, Row
from mekrr.study.tables.printing.numbers import digits
from mekrr.study.tables.printing.write import write_printed

COLUMNS = {  # of a summary: heading, and by how many decimals it is printed if not by its size
    "ps": ("length (ps)", 2),
    "true_ps": ("true for (ps)", 2),
    "temperature": ("T (K)", 0),
    "drift": ("drift (meV/atom/ps)", None),
    "energy_mae": ("MAE", None),
    "energy_rmse": ("RMSE", None),
    "force_rmse": ("RMSE", None),
}
GROUPS = (
    ("Run", ("ps", "true_ps", "temperature", "drift")),
    ("Energy (meV/atom)", ("energy_mae", "energy_rmse")),
    ("Forces (meV/Å)", ("force_rmse",)),
)
AGAINST_TRUTH = ("true_ps", "energy_mae", "energy_rmse", "force_rmse")  # nothing, of the truth


def write(step: Step) -> None:
    """Write what the runs of all data sets and ensembles were like."""
    given, params = step.input, step.params
    table = summaries(*read_facts(given.logs, given.errors, given.bonds), params.tolerance)
    write_csv(step.output.csv, table)
    write_printed(
        step.output,
        "",
        "Molecular dynamics with the fitted methods",
        grids(table, params.datasets, params.backbones),
        [],
        notes(params.tolerance),
    )


def notes(tolerance: float) -> tuple[str, ...]:
    """Return what a reader must know."""
    return (
        "Each run begins with the same frame, a test frame of the fits, and the same velocities. "
        "DIEP is the potential that made the data, run alike.",
        "Length: how long a run lasted; ended: why it did not last longer. True for: until its "
        f"energy was {tolerance:g} meV/atom from DIEP's of the same frames, the difference at the "
        "start taken off. Drift: of the total energy (NVE), by a straight line.",
        "Errors are those on frames of the run's own, against DIEP, of energies with the mean "
        "error taken off. Bonds: Wasserstein distance of their lengths from those of DIEP's run; "
        "a short run has few, and differs by chance.",
    )


def grids(
    table: pd.DataFrame, datasets: Mapping[str, Mapping], backbones: Mapping[str, str]
) -> list[Grid]:
    """One grid per data set and ensemble.

    Parameters
    ----------
    table : as from `summaries`.
    datasets : registry entries. backbones : titles.
    """
    made = []
    for (dataset, ensemble), runs in table.groupby(["dataset", "ensemble"], sort=False):
        bonds = [c for c in runs.columns if c.endswith(" (Å)") and runs[c].notna().any()]
        order = {name: k for k, name in enumerate((TRUE, *ORDER))}
        runs = runs.sort_values("method", key=lambda names: names.map(order), kind="stable")
        rows = tuple(
            Row(
                (label(run["method"]), backbone_title(run["backbone"], backbones)),
                (
                    *(_cell(run, key) for _, keys in GROUPS for key in keys),
                    *(_bond(run, bond) for bond in bonds),
                    Cell(run["left"] or MISSING),
                ),
            )
            for run in runs.to_dict("records")
        )
        groups = [(name, tuple(COLUMNS[key][0] for key in keys)) for name, keys in GROUPS]
        groups.append(("Bonds (Å)", tuple(bond.removesuffix(" (Å)") for bond in bonds)))
        title = f"{datasets[dataset].get('title', dataset)}, {ensemble}"
        heads = ("Method", "Backbone")
        made.append(Grid(title, heads, (*groups, ("", ("ended",))), rows))
    return made


def _cell(run: Mapping, key: str) -> Cell:
    value = run[key]
    if pd.isna(value) or (run["method"] == TRUE and key in AGAINST_TRUTH):
        return Cell()
    decimals = COLUMNS[key][1]
    return Cell(digits(value, abs(value)) if decimals is None else f"{value:.{decimals}f}")


def _bond(run: Mapping, key: str) -> Cell:
    return Cell() if run["method"] == TRUE or pd.isna(run[key]) else Cell(f"{run[key]:.3f}")
