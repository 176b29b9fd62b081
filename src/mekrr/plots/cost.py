"""Test error against cost."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from mekrr.methods import ORDER, STRATEGY_LABELS, label
from mekrr.plots.style import (
    METHOD_COLOURS,
    TEXT,
    title_of,
    use_house_style,
)

MARKERS = ("o", "s", "^", "D", "v", "P")
COSTS = {"training": "Training (s)", "prediction": "Prediction (ms per frame)"}
LEGEND_COLUMNS = 5
MANY_DECADES = 100  # a wider axis has labels at decades only


def draw(
    table: pd.DataFrame, datasets: Mapping[str, Mapping], backbones: Mapping[str, str]
) -> Figure:
    """A row per data set and way of splitting; training and prediction side by side.

    Points are means over seeds, bars the range of the RMSE.

    Parameters
    ----------
    table : as from `mekrr.timing.costs`.
    backbones : their titles.
    """
    use_house_style()
    table = table.assign(prediction=1000.0 * table["prediction"])
    rows = [
        (dataset, strategy)
        for dataset in datasets
        for strategy in dict.fromkeys(table["strategy"])
        if ((table["dataset"] == dataset) & (table["strategy"] == strategy)).any()
    ]
    figure, axes = plt.subplots(
        len(rows),
        len(COSTS),
        figsize=(TEXT, 0.7 + 1.9 * len(rows)),
        squeeze=False,
        sharex="col",
        sharey="row",
        layout="constrained",
    )
    shapes = _shapes(table, backbones)
    for line, (dataset, strategy) in zip(axes, rows, strict=True):
        panel = table[(table["dataset"] == dataset) & (table["strategy"] == strategy)]
        for axis, cost in zip(line, COSTS, strict=True):
            _draw_panel(axis, panel.dropna(subset=cost), cost, shapes)
            axis.set_title(f"{title_of(datasets, dataset)}\n{STRATEGY_LABELS[strategy]}")
        line[0].set_ylabel("Test RMSE (meV/atom)")
        _plain(line[0].yaxis)
    for axis, title in zip(axes[-1], COSTS.values(), strict=True):
        axis.set_xlabel(title)
        _plain(axis.xaxis)
    figure.legend(
        handles=_handles(table, shapes, backbones),
        loc="outside lower center",
        ncols=LEGEND_COLUMNS,
    )
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
    axis.margins(0.08)


def _plain(axis) -> None:
    """Plain numbers, at decades alone where there are many."""
    low, high = axis.get_data_interval()
    axis.set_major_locator(LogLocator(subs=(1,) if high > MANY_DECADES * low else (1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _shapes(table: pd.DataFrame, backbones: Mapping[str, str]) -> dict[str, str]:
    """A marker for each backbone, those of the study first."""
    names = dict.fromkeys([*backbones, *table["backbone"]])
    return {name: MARKERS[k % len(MARKERS)] for k, name in enumerate(names)}


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
        title = "no backbone" if name == "none" else backbones.get(name, name)
        handles.append(
            Line2D([], [], ls="", marker=shapes[name], mew=0, ms=5, color="0.3", label=title)
        )
    return handles
