"""Test error against cost."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mekrr.study.job import Step
from mekrr.study.methods import ORDER, label
from mekrr.study.plots.grids import columns_of, panel_grid
from mekrr.study.plots.style import (
    BACKBONE_MARKERS,
    METHOD_COLOURS,
    cut,
    legend_below,
    plain,
    plain_log,
    use_house_style,
)
from mekrr.study.tables.tidy import read_tables

COSTS = {"training": "Training (s)", "prediction": "Prediction (ms per frame)"}
TITLES = {"training": "Training", "prediction": "Prediction"}
LEGEND_COLUMNS = 5


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    table = read_tables([step.input.table])
    return {"figure": draw(table, step.params.datasets, step.params.backbones)}


def draw(
    table: pd.DataFrame, datasets: Mapping[str, Mapping], backbones: Mapping[str, str]
) -> Figure:
    """A row per data set; for each way of splitting, training and prediction side by side.

    Points are means over seeds, bars the range of the RMSE.

    Parameters
    ----------
    table : as from `mekrr.study.experiments.timing.costs`.
    backbones : their titles.
    """
    use_house_style()
    table = table.assign(prediction=1000.0 * table["prediction"])
    names = [d for d in datasets if d in set(table["dataset"])]
    columns = columns_of(table, COSTS)
    shapes = _shapes(table, backbones)
    handles = _handles(table, shapes, backbones)
    lines = -(-len(handles) // LEGEND_COLUMNS)
    figure, axes = panel_grid(
        names,
        columns,
        TITLES,
        datasets,
        "Test RMSE (meV/atom)",
        0.17 * lines,
        sharey="row",
    )
    for row, dataset in zip(axes, names, strict=True):
        for axis, (strategy, cost) in zip(row, columns, strict=True):
            panel = table[(table["dataset"] == dataset) & (table["strategy"] == strategy)]
            _draw_panel(axis, panel.dropna(subset=cost), cost, shapes)
        plain_log(row[0].yaxis)
    for column, (_, cost) in zip(axes.T, columns, strict=True):
        limits = [limit for axis in column for limit in axis.get_xlim()]
        for axis in column:
            axis.set_xlim(min(limits), max(limits))
            plain_log(axis.xaxis)
            axis.tick_params(labelbottom=axis is column[-1])
        column[-1].set_xlabel(COSTS[cost])
    legend_below(figure, handles, LEGEND_COLUMNS)
    return figure


def _draw_panel(axis: Axes, panel: pd.DataFrame, cost: str, shapes: Mapping[str, str]) -> None:
    for (method, backbone), fits in panel.groupby(["method", "backbone"], sort=False):
        mean = fits["rmse"].mean()
        axis.errorbar(
            fits[cost].mean(),
            mean,
            yerr=[[mean - fits["rmse"].min()], [fits["rmse"].max() - mean]],
            fmt=shapes[backbone],
            color=METHOD_COLOURS[method],
            ms=5,
            mew=0,
            elinewidth=0.8,
            alpha=0.85,
        )
    axis.set(xscale="log", yscale="log")
    axis.margins(0.1)


def _shapes(table: pd.DataFrame, backbones: Mapping[str, str]) -> dict[str, str]:
    """A marker for each backbone, those of the study first."""
    names = dict.fromkeys([*backbones, *table["backbone"]])
    return {name: BACKBONE_MARKERS[k % len(BACKBONE_MARKERS)] for k, name in enumerate(names)}


def _handles(
    table: pd.DataFrame, shapes: Mapping[str, str], backbones: Mapping[str, str]
) -> list[Line2D]:
    methods = [m for m in ORDER if m in set(table["method"])]
    drawn = [b for b in shapes if b in set(table["backbone"])]
    handles = [
        Line2D([], [], ls="", marker="o", mew=0, ms=5, color=METHOD_COLOURS[m], label=label(m))
        for m in methods
    ]
    for name in drawn:
        title = "no backbone" if name == "none" else plain(cut(backbones.get(name, name)))
        handles.append(
            Line2D([], [], ls="", marker=shapes[name], mew=0, ms=5, color="0.3", label=title)
        )
    return handles
