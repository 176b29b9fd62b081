"""Reliability of predicted standard deviations on test frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mekrr.study.job import Step
from mekrr.study.methods import label
from mekrr.study.plots.grids import columns_of, panel_grid
from mekrr.study.plots.style import METHOD_COLOURS, legend_below, use_house_style
from mekrr.study.tables.tidy import read_tables

METHODS = ("linear ridge", "MEKRR-alpha", "Delta-MEKRR", "Delta-MEKRR-sparse-forces")


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    curves, table = (
        read_tables([path]) for path in (step.input.reliability, step.input.calibration)
    )
    return {"figure": draw(curves, table, step.params.datasets, step.params.backbones, METHODS)}


def draw(
    curves: pd.DataFrame,
    calibration: pd.DataFrame,
    datasets: Mapping[str, Mapping],
    backbones: Mapping[str, str],
    methods: Sequence[str],
) -> Figure:
    """One row per data set, one column per way of splitting and backbone; a line per seed.

    Parameters
    ----------
    curves : observed coverage of central intervals at their expected one, of every fit.
    calibration : miscalibration_area of every fit.
    datasets : registry entries of the data sets, for their titles.
    backbones : titles, in order.
    methods : those that are shown, in order.
    """
    use_house_style()
    curves = curves[curves["method"].isin(methods)]
    calibration = calibration[calibration["method"].isin(methods)]
    names = [d for d in datasets if d in set(curves["dataset"])]
    columns = columns_of(curves, backbones)
    figure, axes = panel_grid(
        names, columns, backbones, datasets, "Observed coverage", 0.2, sharex=True, sharey=True
    )
    for row, dataset in zip(axes, names, strict=True):
        for axis, (strategy, backbone) in zip(row, columns, strict=True):
            place = {"dataset": dataset, "strategy": strategy, "backbone": backbone}
            _draw_panel(axis, _of(curves, place), _of(calibration, place), methods)
    for axis in axes[-1]:
        axis.set_xlabel("Expected coverage")
    found = [m for m in methods if m in set(curves["method"])]
    handles = [Line2D([], [], color=METHOD_COLOURS[m], label=label(m)) for m in found]
    handles.append(Line2D([], [], color="0.5", ls="--", lw=0.8, label="as predicted"))
    legend_below(figure, handles, len(handles))
    return figure


def _of(table: pd.DataFrame, place: Mapping[str, str]) -> pd.DataFrame:
    return table[(table[list(place)] == pd.Series(place)).all(axis=1)]


def _draw_panel(
    axis: Axes, curves: pd.DataFrame, calibration: pd.DataFrame, methods: Sequence[str]
) -> None:
    """Curves, and the mean miscalibration area of each method where there is room."""
    axis.plot([0, 1], [0, 1], color="0.5", ls="--", lw=0.8, zorder=0)
    for (method, _), curve in curves.groupby(["method", "seed"], sort=False):
        colour = METHOD_COLOURS[method]
        axis.plot(curve["expected"], curve["observed"], color=colour, lw=0.8, alpha=0.8)
    above = (curves["observed"] - curves["expected"]).mean() > 0
    x, y, align, step = (0.97, 0.04, "right", 0.11) if above else (0.03, 0.96, "left", -0.11)
    areas = calibration.groupby("method")["miscalibration_area"].mean()
    shown = [method for method in methods if method in areas]
    for line, method in enumerate(reversed(shown) if above else shown):
        axis.text(
            x,
            y + step * line,
            f"area {areas[method]:.2f}",
            color=METHOD_COLOURS[method],
            ha=align,
            va="bottom" if above else "top",
            fontsize=6.5,
            transform=axis.transAxes,
        )
    axis.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axis.xaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_box_aspect(1)
