"""Test error along the reaction coordinate."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mekrr.data.variables import axis_label
from mekrr.study.job import Step
from mekrr.study.methods import ORDER, STRATEGY_LABELS, TRAINED, label
from mekrr.study.plots.style import (
    METHOD_COLOURS,
    PAGE,
    TEXT,
    legend_below,
    plain_log,
    title_figure,
    title_of,
    title_panel,
    titles_of,
    use_house_style,
)
from mekrr.study.tables.tidy import read_tables

METHODS = ("untouched GNN", *TRAINED, "linear ridge", "MEKRR", "MEKRR-alpha", "Delta-MEKRR")


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    name, params = step.wildcards.dataset, step.params
    entry = params.datasets[name]
    figure = draw(
        read_tables([step.input.errors]),
        entry["collective_variables"][0],
        entry.get("event"),
        name,
        params.datasets,
        params.backbones,
    )
    return {"figure": figure}


def draw(
    errors: pd.DataFrame,
    variable: Mapping,
    event: Mapping | None,
    dataset: str,
    datasets: Mapping[str, Mapping],
    backbones: Mapping[str, str],
) -> Figure:
    """One row per backbone, one column per way of splitting.

    Lines are means over seeds, bands their range.

    Parameters
    ----------
    errors : as from `mekrr.study.experiments.reaction.errors_along`.
    variable : description of the collective variable. event : its threshold, or None.
    dataset, datasets, backbones : name, registry entries, titles in order.
    """
    use_house_style()
    errors = errors[errors["method"].isin(METHODS)]
    strategies = list(dict.fromkeys(errors["strategy"]))
    height = min(2.2, (PAGE - 1.0) / len(backbones))
    figure, axes = plt.subplots(
        len(backbones),
        len(strategies),
        figsize=(TEXT, 0.9 + height * len(backbones)),
        squeeze=False,
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    for row, (backbone, title) in zip(axes, titles_of(backbones).items(), strict=True):
        others = {*backbones} - {backbone}
        for axis, strategy in zip(row, strategies, strict=True):
            panel = errors[(errors["strategy"] == strategy) & ~errors["backbone"].isin(others)]
            _draw_panel(axis, panel)
            title_panel(axis, f"{title}, {STRATEGY_LABELS[strategy]}")
            if event:
                axis.axvline(event["above"], color="0.3", ls=":", lw=0.9)
        row[0].set_ylabel("Mean absolute test\nerror (meV/atom)")
    for axis in axes[-1]:
        axis.set_xlabel(axis_label(variable))
    axes[0, 0].set_yscale("log")
    plain_log(axes[0, 0].yaxis)
    handles = [
        Line2D([], [], color=METHOD_COLOURS[m], marker="o", mew=0, label=label(m))
        for m in ORDER
        if m in set(errors["method"])
    ]
    if event:
        handles.append(Line2D([], [], color="0.3", ls=":", lw=0.9, label="event"))
    legend_below(figure, handles, min(len(handles), 6))
    title_figure(figure, title_of(datasets, dataset))
    return figure


def _draw_panel(axis: Axes, panel: pd.DataFrame) -> None:
    sns.lineplot(
        panel,
        x="variable",
        y="mae",
        hue="method",
        palette=METHOD_COLOURS,
        errorbar=("pi", 100),
        err_kws={"alpha": 0.12, "lw": 0},
        marker="o",
        mew=0,
        lw=1,
        legend=False,
        ax=axis,
    )
    axis.set(xlabel="", ylabel="")
