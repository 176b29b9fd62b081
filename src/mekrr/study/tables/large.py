"""Errors on large data sets, by group of frames."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mekrr.choices import ALL
from mekrr.files import write_csv
from mekrr.study.experiments.large.errors import EVERYTHING
from mekrr.study.job import Step
from mekrr.study.methods import ORDER, STRATEGY_LABELS, label
from mekrr.study.tables.printing.grid import Cell, Grid, Row
from mekrr.study.tables.printing.numbers import best, digits
from mekrr.study.tables.printing.write import write_printed
from mekrr.study.tables.tidy import read_tables

SHOWN = {"mae": "E MAE", "rmse": "E RMSE", "slope_rmse": "F RMSE"}
TITLE = "Errors on large data sets, by group of frames"
NOTES = (
    "Test errors of fits to all training frames, mean ± standard deviation over seeds where there "
    "are several: E, of the total energy per atom in meV/atom; F, of forces in meV/Å, along the "
    "random directions that are stored of each frame, which on average is that of a component. The "
    "best of each row among the methods is bold.",
    "untouched GNN: the network's own energies and forces, beside reference energies of species "
    "that are fitted to the training frames. training mean: these references alone, no forces.",
    "Groups are those that the file names by the data set's `group_key`; else its runs. Methods "
    "with kernels between frames, networks and GAP are left out: see `large.above`.",
)


def write(step: Step) -> None:
    """Write the errors of all large data sets and backbones."""
    params = step.params
    table = read_tables(step.input.errors)
    write_csv(step.output.csv, table)
    titles = {name: entry.get("title", name) for name, entry in params.datasets.items()}
    whole = over_seeds(table[table["size"].astype(str) == ALL])
    write_printed(step.output, "", TITLE, grids(whole, titles, params.backbones), [], NOTES)


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Return means and standard deviations (ddof 1) of errors, numbers of seeds and of frames."""
    by = ["dataset", "strategy", "backbone", "method", "group"]
    grouped = table.groupby(by, sort=False)
    errors = grouped[[*SHOWN]]
    spread = errors.std(ddof=1).add_suffix("_std")
    counts = grouped.agg(n_seeds=("seed", "nunique"), frames=("frames", "mean"))
    return errors.mean().join([spread, counts]).reset_index()


def grids(
    table: pd.DataFrame, datasets: Mapping[str, str], backbones: Mapping[str, str]
) -> list[Grid]:
    """Return a grid of each data set, way of splitting and backbone: groups against methods."""
    made = []
    for (dataset, strategy, backbone), part in table.groupby(
        ["dataset", "strategy", "backbone"], sort=False
    ):
        methods = [method for method in ORDER if (part["method"] == method).any()]
        rows = [
            Row(
                (_named(group, of_group), f"{of_group['frames'].iloc[0]:.0f}"),
                _cells(of_group, methods),
            )
            for group, of_group in part.groupby("group", sort=False)
        ]
        groups = tuple((label(method), tuple(SHOWN.values())) for method in methods)
        title = f"{datasets[dataset]}, {backbones[backbone]}, {STRATEGY_LABELS[strategy]}"
        made.append(Grid(title, ("Group", "Test frames"), groups, tuple(rows)))
    return made


def _named(group: str, part: pd.DataFrame) -> str:
    return "all frames" if group == EVERYTHING else str(group)


def _cells(part: pd.DataFrame, methods: list[str]) -> tuple[Cell, ...]:
    bests = {error: best(part, error) for error in SHOWN}
    cells = []
    for method in methods:
        (row,) = (one for _, one in part[part["method"] == method].iterrows())
        cells += [_cell(row, error, bests[error]) for error in SHOWN]
    return tuple(cells)


def _cell(row: pd.Series, error: str, bests: set) -> Cell:
    value, std = row[error], row[f"{error}_std"]
    if pd.isna(value):
        return Cell()
    spread = "" if pd.isna(std) else digits(std, value)
    return Cell(digits(value, value), spread, best=row.name in bests)
