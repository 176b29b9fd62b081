"""Errors on large data sets: by group of frames, and against the number of training frames."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mekrr.choices import ALL
from mekrr.study.experiments.large.errors import EVERYTHING
from mekrr.study.job import Step
from mekrr.study.methods import ORDER, STRATEGY_LABELS, label
from mekrr.study.plots import learning
from mekrr.study.plots.grids import nothing
from mekrr.study.plots.style import METHOD_COLOURS, legend_below, plain_log, use_house_style
from mekrr.study.tables.tidy import read_tables

QUANTITIES = {"mae": "energy MAE (meV/atom)", "slope_rmse": "force RMSE (meV/Å)"}
LEGEND_COLUMNS = 3
LINE = 0.16  # inches of a group


def figures(step: Step) -> dict[str, Figure]:
    """Return the figures of a step of the study."""
    table, params = read_tables([step.input.table]), step.params
    given = params.datasets, params.backbones
    return {
        "figure": by_group(table, *given),
        "learning": draw_curves(table, *given, "mae"),
        "forces": draw_curves(table, *given, "slope_rmse"),
    }


def draw_curves(
    table: pd.DataFrame,
    datasets: Mapping[str, Mapping],
    backbones: Mapping[str, str],
    error: str,
) -> Figure:
    """Draw an error of the group in the middle against the number of training frames.

    That of all frames is one of the few that are far off, whatever is learnt of the others.
    """
    by = ["dataset", "strategy", "seed", "size", "backbone", "method", "n_train"]
    groups = table[table["group"] != EVERYTHING]
    median = groups.groupby(by, sort=False)[error].median().reset_index()
    return learning.draw(median, datasets, backbones, error, f"Median {QUANTITIES[error]}")


def by_group(
    table: pd.DataFrame, datasets: Mapping[str, Mapping], backbones: Mapping[str, str]
) -> Figure:
    """Draw a row for each data set, way of splitting and backbone: groups from the hardest on.

    A group is a line, with a point for each method, of fits to all training frames; means over
    seeds.
    """
    use_house_style()
    table = table[table["size"].astype(str) == ALL]
    if table.empty:
        return nothing("errors by group: no data")
    by = ["dataset", "strategy", "backbone"]
    places = list(table.groupby(by, sort=False))
    sizes = [part["group"].nunique() for _, part in places]
    figure = Figure(figsize=(7.0, sum(LINE * n + 0.7 for n in sizes) + 0.5), layout="constrained")
    axes = figure.subplots(
        len(places), len(QUANTITIES), squeeze=False, height_ratios=[n + 3 for n in sizes]
    )
    for row, ((dataset, strategy, backbone), part) in zip(axes, places, strict=True):
        errors = part.pivot_table([*QUANTITIES], "group", "method")
        hardest = part.groupby("group")["mae"].min()
        order = [EVERYTHING, *hardest.drop(EVERYTHING).sort_values(ascending=False).index]
        for axis, (error, quantity) in zip(row, QUANTITIES.items(), strict=True):
            _draw(axis, errors[error], order)
            axis.set_xlabel(f"{quantity[0].upper()}{quantity[1:]}")
        title = datasets[dataset].get("title", dataset)
        row[0].set_yticks(range(len(order)), [_named(group) for group in order])
        row[1].set_yticks(range(len(order)), [])
        row[0].set_title(f"{title}, {backbones[backbone]}, {STRATEGY_LABELS[strategy]}", loc="left")
    methods = [method for method in ORDER if method in set(table["method"])]
    handles = [
        Line2D([], [], ls="", marker="o", color=METHOD_COLOURS[m], label=label(m)) for m in methods
    ]
    legend_below(figure, handles, LEGEND_COLUMNS)
    return figure


def _draw(axis: Axes, errors: pd.DataFrame, order: list[str]) -> None:
    """Draw a point of each method on the line of each group; errors of 0 are left out."""
    for method in (m for m in ORDER if m in errors):
        values = errors[method].reindex(order).to_numpy(dtype=float)
        lines = np.arange(len(order))[values > 0]
        axis.plot(values[values > 0], lines, "o", mew=0, ms=4, color=METHOD_COLOURS[method])
    axis.set(xscale="log", ylim=(len(order) - 0.5, -0.5))
    axis.grid(True, axis="y", lw=0.4, alpha=0.5)
    axis.axhline(0.5, color="0.3", lw=0.6)
    plain_log(axis.xaxis)


def _named(group: str) -> str:
    return "all frames" if group == EVERYTHING else str(group)
