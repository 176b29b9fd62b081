"""Test error of every method, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mekrr.study.job import Step
from mekrr.study.methods import ORDER, STRATEGY_LABELS
from mekrr.study.plots.style import (
    METHOD_COLOURS,
    MOST_TICKS,
    PAGE,
    TEXT,
    fit_label,
    plain_log,
    title_of,
    title_panel,
    use_house_style,
)
from mekrr.study.tables.tidy import chosen_test_metrics, read_tables

LINE = 0.15  # inches; less where a page has no room
LABELS = 2.4  # inches of the methods' names
MOST_WIDE = 3  # columns that have room for a data set's title on one line
MOST_TICKS_NARROW = 4  # numbers below a column that is narrower
MOST_LINES = 2  # spaces in a title that is broken at each of them


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    metrics = chosen_test_metrics(read_tables([step.input.metrics]))
    return {"figure": draw(metrics, step.params.datasets, step.params.backbones)}


def draw(
    table: pd.DataFrame,
    datasets: Mapping[str, Mapping],
    backbones: Mapping[str, str],
    unit: str = "meV/atom",
) -> Figure:
    """RMSE (filled) and MAE (open) of each seed on a logarithmic axis.

    One column per data set, one row per way of splitting.

    Parameters
    ----------
    table : rmse and mae on test frames, a row per fit.
    datasets : registry entries, in order.
    backbones : titles, in order.
    unit : of the errors.
    """
    use_house_style()
    names = [d for d in datasets if d in set(table["dataset"])]
    strategies = list(dict.fromkeys(table["strategy"]))
    lines = [
        (method, backbone)
        for method in ORDER
        for backbone in dict.fromkeys(table.loc[table["method"] == method, "backbone"])
    ]
    narrow = len(names) > MOST_WIDE
    line = min(LINE, ((PAGE - 0.5) / len(strategies) - 0.5) / len(lines))
    figure, axes = plt.subplots(
        len(strategies),
        len(names),
        figsize=(TEXT, (0.5 + line * len(lines)) * len(strategies) + 0.5),
        squeeze=False,
        sharey=True,
        sharex="col",
        layout="constrained",
    )
    for row, strategy in zip(axes, strategies, strict=True):
        for axis, dataset in zip(row, names, strict=True):
            panel = table[(table["dataset"] == dataset) & (table["strategy"] == strategy)]
            for y, (method, backbone) in enumerate(lines):
                fit = panel[(panel["method"] == method) & (panel["backbone"] == backbone)]
                colour = METHOD_COLOURS[method]
                axis.plot(fit["rmse"], [y] * len(fit), "o", color=colour, ms=4, alpha=0.8, mew=0)
                axis.plot(fit["mae"], [y] * len(fit), "o", mfc="none", mec=colour, ms=4, mew=0.8)
            axis.set_xscale("log")
            title = title_of(datasets, dataset)
            if narrow and title.count(" ") <= MOST_LINES:
                title = title.replace(" ", "\n")
            title_panel(axis, title, (TEXT - LABELS) / len(names))
            axis.grid(axis="y")
            axis.tick_params(axis="y", length=0)
            axis.tick_params(labelbottom=True)
        row[0].set_ylabel(STRATEGY_LABELS[strategy].capitalize())
    broken = max(axis.get_title().count("\n") for axis in axes[0])
    more = max(0, broken - 1) * len(strategies)  # lines of titles that the height has no room for
    figure.set_figheight(figure.get_figheight() + LINE * more)
    axes[0, 0].set_yticks(range(len(lines)), [fit_label(*line, backbones) for line in lines])
    axes[0, 0].set_ylim(len(lines) - 0.4, -0.6)
    separator = "\n" if narrow else " "
    for axis in axes[-1]:
        plain_log(axis.xaxis, MOST_TICKS_NARROW if narrow else MOST_TICKS)
        axis.set_xlabel(f"Test error{separator}({unit})")
    figure.legend(
        handles=[
            Line2D([], [], ls="", marker="o", color="0.3", ms=4, mew=0, label="RMSE, one seed"),
            Line2D([], [], ls="", marker="o", mfc="none", mec="0.3", ms=4, label="MAE, one seed"),
        ],
        loc="outside lower center",
        ncols=2,
    )
    return figure
