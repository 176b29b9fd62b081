"""Validation error against α, the paper's Figure 2."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from mekrr.study.job import Step
from mekrr.study.methods import STRATEGY_LABELS
from mekrr.study.plots.style import (
    PAGE,
    TEXT,
    legend_below,
    other_colours,
    plain,
    title_of,
    title_panel,
    titles_of,
    use_house_style,
)
from mekrr.study.tables.tidy import read_tables

METRICS = {"rmse": ("RMSE", "-"), "mae": ("MAE", "--")}


def best_of_grid(sweep: pd.DataFrame) -> pd.DataFrame:
    """Error at the best λ for each α, on the layer that each fit chose."""
    fit = ["dataset", "strategy", "seed", "backbone"]
    sweep = sweep.dropna(subset="rmse")
    best = sweep.loc[sweep.groupby(fit)["rmse"].idxmin(), [*fit, "layer"]]
    chosen = sweep.merge(best, on=[*fit, "layer"])
    return chosen.loc[chosen.groupby([*fit, "alpha"])["rmse"].idxmin()]


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    sweep = read_tables(step.input.sweeps)
    return {"figure": draw(sweep, step.params.datasets, step.params.backbones)}


def draw(
    sweep: pd.DataFrame, datasets: Mapping[str, Mapping], backbones: Mapping[str, str]
) -> Figure:
    """One row per data set, one column per way of splitting.

    Parameters
    ----------
    sweep : dataset, strategy, seed, backbone, layer, alpha, regularisation and the
        validation rmse and mae in meV/atom.
    datasets : registry entries, in order.
    backbones : titles, in order.
    """
    use_house_style()
    curves = best_of_grid(sweep)
    names = [d for d in datasets if d in set(curves["dataset"])]
    strategies = list(dict.fromkeys(sweep["strategy"]))
    colours = other_colours(list(backbones))
    height = min(2.1, (PAGE - 0.8) / len(names))
    figure, axes = plt.subplots(
        len(names),
        len(strategies),
        figsize=(TEXT, 0.6 + height * len(names)),
        squeeze=False,
        sharex=True,
        layout="constrained",
    )
    for row, dataset in zip(axes, names, strict=True):
        for axis, strategy in zip(row, strategies, strict=True):
            panel = curves[(curves["dataset"] == dataset) & (curves["strategy"] == strategy)]
            _draw_panel(axis, panel, colours)
            title_panel(axis, f"{title_of(datasets, dataset)}, {STRATEGY_LABELS[strategy]}")
        row[0].set_ylabel("Validation error\n(meV/atom)")
    for axis in axes[-1]:
        axis.set_xlabel("Weight α of the species-resolved kernel")
    drawn = set(curves["backbone"])
    handles = [
        Line2D([], [], color=colours[b], label=plain(title))
        for b, title in titles_of(backbones).items()
        if b in drawn
    ]
    handles += [Line2D([], [], color="0.3", ls=dash, label=name) for name, dash in METRICS.values()]
    handles.append(Line2D([], [], color="0.3", ls="", marker="*", ms=7, label="least error"))
    legend_below(figure, handles, len(handles))
    return figure


def _draw_panel(axis: Axes, panel: pd.DataFrame, colours: Mapping[str, str]) -> None:
    for backbone, group in panel.groupby("backbone", sort=False):
        colour = colours[backbone]
        for metric, (_, dash) in METRICS.items():
            stats = group.groupby("alpha")[metric].agg(["median", "min", "max"])
            axis.plot(stats.index, stats["median"], dash, color=colour)
            axis.fill_between(
                stats.index, stats["min"], stats["max"], color=colour, alpha=0.12, lw=0
            )
            best = stats["median"].idxmin()
            axis.plot(
                best,
                stats["median"][best],
                "*",
                color=colour,
                mec="white",
                mew=0.4,
                ms=8,
                clip_on=False,
                zorder=5,
            )
    alphas = np.unique(panel["alpha"])
    smallest = alphas[alphas > 0].min()
    axis.set_xscale("symlog", linthresh=smallest, linscale=0.5)
    decades = 10.0 ** np.arange(np.ceil(np.log10(smallest)), 1)
    axis.xaxis.set_major_locator(FixedLocator([0.0, *decades]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(_alpha_label))
    axis.set_xlim(0.0, 1.0)
    axis.set_ylim(bottom=0.0)
    axis.yaxis.set_major_locator(MaxNLocator(5))
    axis.yaxis.set_major_formatter("{x:g}")


def _alpha_label(value: float, _position: int) -> str:
    if value in (0.0, 1.0):
        return f"{value:g}"
    return f"$10^{{{round(np.log10(value))}}}$"
