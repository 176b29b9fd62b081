"""The table of ablations: over seeds, and as it is printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mekrr.files import write_csv
from mekrr.study.experiments.ablation import BASE
from mekrr.study.job import Step
from mekrr.study.methods import STRATEGY_LABELS, label
from mekrr.study.tables.printing.grid import FEWER, Cell, Grid, Row
from mekrr.study.tables.printing.numbers import best, digits
from mekrr.study.tables.printing.write import write_printed
from mekrr.study.tables.tidy import read_tables

FACTORS = ("layer", "atom kernel", "lengthscale", "aggregation", "λ")
PUBLISHED = ("λ", "1e-07")
ERRORS = {"validation_rmse": "validation", "test_rmse": "test"}
NOTES = (
    "RMSE of the total energy per atom in meV/atom, mean ± standard deviation over seeds; the "
    "best of each column among the settings of one thing is bold, " + FEWER + " where some seed "
    "has no number because rounding leaves its kernel matrix indefinite: not to be compared with "
    "the others, and not bold.",
    "One thing is changed, the rest stays as in the study: its atom kernel, median "
    "lengthscale, mean over atoms, and (but in the first block) the layer that MEKRR chooses "
    "on validation frames. λ, and α of MEKRR-α, are chosen anew on validation frames for each "
    "setting; in the last block λ is fixed and α that of the study.",
    "Aggregation by sum multiplies K₀ by the numbers of atoms of both frames, and each species' "
    "share in K₁ by the numbers of its atoms. Where all frames have as many atoms this changes "
    "nothing in K₀, and MEKRR is the same by construction.",
)
BY = ["dataset", "backbone", "method", "factor", "setting"]


@dataclass(frozen=True)
class Layout:
    """What a table of ablations shows.

    Attributes
    ----------
    factors : in order. errors : columns of the table, and their headings.
    remark : of the settings of one factor, and one of them, what is said of this.
    """

    factors: Sequence[str]
    errors: Mapping[str, str]
    remark: Callable[[pd.DataFrame, str], str]


def write(step: Step) -> None:
    """Write the ablations of all data sets and backbones."""
    table = over_seeds(read_tables(step.input.errors), [*ERRORS, "test_mae"], BY)
    labels = {method: label(method) for method in ("MEKRR", "MEKRR-alpha")}
    title = f"Ablations, {STRATEGY_LABELS[step.params.split]}, RMSE in meV/atom"
    write_ablations(step, table, LAYOUT, labels, title, NOTES)


def write_ablations(
    step: Step,
    table: pd.DataFrame,
    layout: Layout,
    labels: Mapping[str, str],
    title: str,
    notes: Sequence[str],
) -> None:
    """Write a table as from `over_seeds`, as it is and as it is printed.

    Parameters
    ----------
    labels : titles of methods, in order. title, notes : of all.
    """
    params = step.params
    titles = {name: entry.get("title", name) for name, entry in params.datasets.items()}
    printed = grids(table, layout, titles, params.backbones, labels)
    write_csv(step.output.csv, table)
    write_printed(step.output, "", title, printed, [], notes)


def over_seeds(table: pd.DataFrame, errors: Sequence[str], by: Sequence[str]) -> pd.DataFrame:
    """Mean, standard deviation (ddof 1) and number of seeds of each error."""
    grouped = table.groupby(list(by), sort=False)[list(errors)]
    spread = grouped.std(ddof=1).add_suffix("_std")
    counts = grouped.count()["test_rmse"].rename("n_seeds")
    return grouped.mean().join([spread, counts]).reset_index()


def grids(
    table: pd.DataFrame,
    layout: Layout,
    datasets: Mapping[str, str],
    backbones: Mapping[str, str],
    labels: Mapping[str, str],
) -> list[Grid]:
    """One grid per method: factors and settings against data sets and backbones.

    Parameters
    ----------
    table : as from `over_seeds`.
    datasets, backbones, labels : titles of data sets, backbones and methods, in order.
    """
    most, made = table["n_seeds"].max(), []
    for method, title in labels.items():
        ours = table[table["method"] == method]
        places = [
            (d, b)
            for d in datasets
            for b in backbones
            if ((ours["dataset"] == d) & (ours["backbone"] == b)).any()
        ]
        rows = []
        for factor in layout.factors:
            block = ours[ours["factor"] == factor]
            columns = [block[(block["dataset"] == d) & (block["backbone"] == b)] for d, b in places]
            for setting in sorted(set(block["setting"]), key=_order(block)):
                cells = [
                    _cell(column, setting, e, most) for column in columns for e in layout.errors
                ]
                rows.append(Row((factor, setting + layout.remark(block, setting)), tuple(cells)))
        headings = tuple(layout.errors.values())
        groups = tuple((f"{datasets[d]}, {backbones[b]}", headings) for d, b in places)
        made.append(Grid(title, ("Changed", "to"), groups, tuple(rows)))
    return made


def _remark(block: pd.DataFrame, setting: str) -> str:
    factor = block["factor"].iloc[0]
    base = BASE.get(factor)
    if factor == "atom kernel":  # that of the study comes first
        base = block["setting"].iloc[0]
    if setting == base:
        return " (as in the study)"
    return " (published)" if (factor, setting) == PUBLISHED else ""


LAYOUT = Layout(FACTORS, ERRORS, _remark)


def _order(block: pd.DataFrame) -> Callable[[str], float]:
    """Numbers by their value, words as they come."""
    words = list(dict.fromkeys(block["setting"]))
    numbers = not pd.to_numeric(block["setting"], errors="coerce").isna().any()
    return float if numbers else words.index


def _cell(column: pd.DataFrame, setting: str, error: str, most_seeds: int) -> Cell:
    found = column[column["setting"] == setting]
    if found.empty or pd.isna(found[error].iloc[0]):
        return Cell()
    row = found.iloc[0]
    return Cell(
        digits(row[error], row[error]),
        "" if pd.isna(row[f"{error}_std"]) else digits(row[f"{error}_std"], row[error]),
        mark=FEWER if row["n_seeds"] < most_seeds else "",
        best=row.name in best(column, error),
    )
