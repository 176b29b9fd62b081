"""Figures of many panels: a row per data set, a column per way of splitting and something
else, such as a backbone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mekrr.study.methods import STRATEGY_LABELS
from mekrr.study.plots.style import COLUMN, PAGE, TEXT, title_of, title_panel, title_row, titles_of

NARROWEST = 1.45  # inches of a column; more columns than fit widen the figure
TALLEST = 1.6  # inches of a row


def columns_of(table: pd.DataFrame, others: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs of a way of splitting and a key of ``others``, in order."""
    found = set(table["strategy"])
    strategies = [strategy for strategy in STRATEGY_LABELS if strategy in found]
    return [(strategy, other) for strategy in strategies for other in others]


def panel_grid(
    names: Iterable[str],
    columns: Iterable[tuple[str, str]],
    others: Mapping[str, str],
    datasets: Mapping[str, Mapping],
    quantity: str,
    legend: float,
    **shared,
) -> tuple[Figure, np.ndarray]:
    """A figure with its panels, (n_names, n_columns).

    Parameters
    ----------
    names, columns : of rows and columns, these as from `columns_of`.
    others : titles of what else divides columns.
    quantity : on the vertical axes, with its unit.
    legend : inches for it.
    shared : how axes are shared, as in `plt.subplots`.
    """
    names, columns = list(names), list(columns)
    width = max(TEXT, 0.7 + NARROWEST * len(columns))
    height = min(TALLEST, (PAGE - legend - 0.8) / len(names))
    figure, axes = plt.subplots(
        len(names),
        len(columns),
        figsize=(width, 0.8 + legend + height * len(names)),
        squeeze=False,
        layout="constrained",
        **shared,
    )
    titles = titles_of(others)
    for axis, (strategy, other) in zip(axes[0], columns, strict=True):
        title_panel(axis, f"{titles[other]}\n{STRATEGY_LABELS[strategy]}")
    for axis, name in zip(axes[:, 0], names, strict=True):
        title_row(axis, title_of(datasets, name), quantity)
    return figure, axes


def nothing(text: str) -> Figure:
    """A figure that says so."""
    figure = Figure(figsize=(COLUMN, 0.5))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure
