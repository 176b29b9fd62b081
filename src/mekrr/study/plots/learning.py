"""Test error against the number of training frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mekrr.study.job import Step
from mekrr.study.methods import ORDER, TRAINED, label
from mekrr.study.plots.grids import columns_of, nothing, panel_grid
from mekrr.study.plots.style import (
    METHOD_COLOURS,
    legend_below,
    plain_log,
    use_house_style,
)
from mekrr.study.tables.tidy import read_tables

LEGEND_COLUMNS = 5


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    table, given = read_tables([step.input.table]), (step.params.datasets, step.params.backbones)
    return {
        "figure": draw(table, *given),
        "forces": draw(table, *given, "force_rmse", "Force RMSE (meV/Å)"),
    }


def draw(
    table: pd.DataFrame,
    datasets: Mapping[str, Mapping],
    backbones: Mapping[str, str],
    error: str = "rmse",
    quantity: str = "Test RMSE (meV/atom)",
) -> Figure:
    """A row per data set, a column per way of splitting and backbone.

    Lines are means over seeds, bands their range. Methods without a backbone of the study
    are drawn in every column.

    Parameters
    ----------
    table : dataset, strategy, seed, method, backbone, n_train and a test error; rows and data
        sets without it are left out.
    backbones : their titles.
    error : column of the table. quantity : its name and unit.
    """
    use_house_style()
    table = table.reindex(columns=[*table, error]) if error not in table else table
    table = table[table[error].notna()].rename(columns={error: "error"})
    if table.empty:
        return nothing(f"{quantity}: no data")
    names = [d for d in datasets if d in set(table["dataset"])]
    titles = {b: title for b, title in backbones.items() if b in set(table["backbone"])}
    columns = columns_of(table, titles)
    methods = [m for m in ORDER if m in set(table["method"])]
    figure, axes = panel_grid(
        names,
        columns,
        titles,
        datasets,
        quantity,
        0.17 * -(-len(methods) // LEGEND_COLUMNS),
        sharex=True,
        sharey="row",
    )
    for row, dataset in zip(axes, names, strict=True):
        for axis, (strategy, backbone) in zip(row, columns, strict=True):
            panel = table[(table["dataset"] == dataset) & (table["strategy"] == strategy)]
            _draw_panel(axis, panel[~panel["backbone"].isin({*titles} - {backbone})])
        plain_log(row[0].yaxis)
    for axis in axes[-1]:
        axis.set_xlabel("Training frames")
    plain_log(axes[0, 0].xaxis)
    handles = [_line(method, label=label(method)) for method in methods]
    legend_below(figure, handles, min(len(methods), LEGEND_COLUMNS))
    return figure


def mean_and_range(curves: pd.DataFrame) -> pd.DataFrame:
    """Over seeds: mean number of frames, mean, least and largest error, point by point.

    The last points of the seeds, all training frames, may differ in their number.
    """
    ordered = curves.sort_values("n_train")
    return ordered.groupby(ordered.groupby("seed").cumcount()).agg(
        n_train=("n_train", "mean"),
        mean=("error", "mean"),
        least=("error", "min"),
        largest=("error", "max"),
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
