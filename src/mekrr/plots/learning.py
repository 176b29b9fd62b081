"""Test error against the number of training frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from mekrr.methods import ORDER, STRATEGY_LABELS, TRAINED, label
from mekrr.plots.style import (
    METHOD_COLOURS,
    TEXT,
    title_of,
    use_house_style,
)

LEGEND_COLUMNS = 6


def draw(
    table: pd.DataFrame, datasets: Mapping[str, Mapping], backbones: Mapping[str, str]
) -> Figure:
    """A row per data set and way of splitting, a column per backbone.

    Lines are means over seeds, bands their range. Methods without a backbone of the study
    are drawn in every column.

    Parameters
    ----------
    table : dataset, strategy, seed, method, backbone, n_train and the test rmse in meV/atom.
    backbones : their titles.
    """
    use_house_style()
    rows = [
        (dataset, strategy)
        for dataset in datasets
        for strategy in dict.fromkeys(table["strategy"])
        if ((table["dataset"] == dataset) & (table["strategy"] == strategy)).any()
    ]
    columns = [b for b in backbones if b in set(table["backbone"])]
    figure, axes = plt.subplots(
        len(rows),
        len(columns),
        figsize=(TEXT, 0.5 + 2.0 * len(rows)),
        squeeze=False,
        sharex=True,
        sharey="row",
        layout="constrained",
    )
    for line, (dataset, strategy) in zip(axes, rows, strict=True):
        panel = table[(table["dataset"] == dataset) & (table["strategy"] == strategy)]
        for axis, backbone in zip(line, columns, strict=True):
            _draw_panel(axis, panel[~panel["backbone"].isin({*columns} - {backbone})])
            axis.set_title(
                f"{title_of(datasets, dataset)}, {backbones[backbone]}\n{STRATEGY_LABELS[strategy]}"
            )
        line[0].set_ylabel("Test RMSE (meV/atom)")
        _plain_decades(line[0].yaxis)
    for axis in axes[-1]:
        axis.set_xlabel("Training frames")
    _plain_decades(axes[0, 0].xaxis)
    methods = [m for m in ORDER if m in set(table["method"])]
    figure.legend(
        handles=[_line(method, label=label(method)) for method in methods],
        loc="outside lower center",
        ncols=min(len(methods), LEGEND_COLUMNS),
    )
    return figure


def mean_and_range(curves: pd.DataFrame) -> pd.DataFrame:
    """Over seeds: mean number of frames, mean, least and largest RMSE, point by point.

    The last points of the seeds, all training frames, may differ in their number.
    """
    ordered = curves.sort_values("n_train")
    return ordered.groupby(ordered.groupby("seed").cumcount()).agg(
        n_train=("n_train", "mean"),
        mean=("rmse", "mean"),
        least=("rmse", "min"),
        largest=("rmse", "max"),
    )


def _draw_panel(axis: Axes, panel: pd.DataFrame) -> None:
    for (method, _), curves in panel.groupby(["method", "backbone"], sort=False):
        points = mean_and_range(curves)
        axis.add_line(_line(method, points["n_train"], points["mean"]))
        axis.fill_between(
            points["n_train"],
            points["least"],
            points["largest"],
            color=METHOD_COLOURS[method],
            alpha=0.15,
            lw=0,
        )
    axis.set(xscale="log", yscale="log")
    axis.autoscale_view()


def _line(method: str, x: Sequence[float] = (), y: Sequence[float] = (), **style) -> Line2D:
    """Trained networks and potentials are dashed, with squares."""
    dash, marker = ("--", "s") if method in TRAINED else ("-", "o")
    return Line2D(x, y, ls=dash, marker=marker, mew=0, color=METHOD_COLOURS[method], **style)


def _plain_decades(axis) -> None:
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
