"""Test error of every method, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
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


def draw(metrics: pd.DataFrame, datasets: Mapping[str, Mapping]) -> Figure:
    """RMSE (filled) and MAE (open) of each seed on a logarithmic axis.

    Parameters
    ----------
    metrics : the table of errors (meV/atom); only chosen layers' test errors are drawn.
    """
    use_house_style()
    table = metrics[metrics["chosen"] & (metrics["split"] == "test")]
    names = [d for d in datasets if d in set(table["dataset"])]
    strategies = list(dict.fromkeys(table["strategy"]))
    rows = [
        (method, backbone)
        for method in ORDER
        for backbone in dict.fromkeys(table.loc[table["method"] == method, "backbone"])
    ]
    figure, axes = plt.subplots(
        len(names),
        len(strategies),
        figsize=(TEXT, (0.5 + 0.2 * len(rows)) * len(names) + 0.4),
        squeeze=False,
        sharey=True,
        sharex="row",
        layout="constrained",
    )
    for line, dataset in zip(axes, names, strict=True):
        for axis, strategy in zip(line, strategies, strict=True):
            panel = table[(table["dataset"] == dataset) & (table["strategy"] == strategy)]
            for y, (method, backbone) in enumerate(rows):
                fit = panel[(panel["method"] == method) & (panel["backbone"] == backbone)]
                colour = METHOD_COLOURS[method]
                axis.plot(fit["rmse"], [y] * len(fit), "o", color=colour, ms=4, alpha=0.8, mew=0)
                axis.plot(fit["mae"], [y] * len(fit), "o", mfc="none", mec=colour, ms=4, mew=0.8)
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter("{x:g}")
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.set_title(f"{title_of(datasets, dataset)}\n{STRATEGY_LABELS[strategy]}")
            axis.grid(axis="y", lw=0.3)
        line[0].set_yticks(range(len(rows)), [_label(*row) for row in rows])
        line[0].invert_yaxis()
    for axis in axes[-1]:
        axis.set_xlabel("Test error (meV/atom)")
    figure.legend(
        handles=[
            Line2D([], [], ls="", marker="o", color="0.3", ms=4, label="RMSE, one seed"),
            Line2D([], [], ls="", marker="o", mfc="none", mec="0.3", ms=4, label="MAE, one seed"),
        ],
        loc="outside lower center",
        ncols=2,
    )
    return figure


def _label(method: str, backbone: str) -> str:
    return label(method) if backbone == "none" else f"{label(method)}, {backbone}"
