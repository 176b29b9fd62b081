"""Errors on training and validation frames by epoch."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mekrr.study.job import Step
from mekrr.study.methods import ORDER, STRATEGY_LABELS, label
from mekrr.study.plots.style import (
    METHOD_COLOURS,
    TEXT,
    legend_below,
    plain_log,
    title_of,
    title_panel,
    use_house_style,
)
from mekrr.study.tables.tidy import read_tables


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    history = read_tables(step.input.histories)
    return {"figure": draw(history, step.wildcards.dataset, step.params.datasets)}


def draw(history: pd.DataFrame, dataset: str, datasets: Mapping[str, Mapping]) -> Figure:
    """One row per network, one column per way of splitting, one pair of lines per seed.

    Parameters
    ----------
    history : strategy, seed, method, backbone, epoch, and the RMSE (meV/atom) on training and
        validation frames, train_rmse and val_rmse; val_loss, which chooses the epoch, where forces
        are learnt.
    """
    use_house_style()
    by_energy = history["val_rmse"]
    history = history.assign(criterion=history.get("val_loss", by_energy).fillna(by_energy))
    strategies = list(dict.fromkeys(history["strategy"]))
    networks = sorted(
        dict.fromkeys(zip(history["method"], history["backbone"], strict=True)),
        key=lambda network: ORDER.index(network[0]),
    )
    figure, axes = plt.subplots(
        len(networks),
        len(strategies),
        figsize=(TEXT, 0.6 + 1.7 * len(networks)),
        squeeze=False,
        sharex="row",
        sharey="row",
        layout="constrained",
    )
    for row, (method, backbone) in zip(axes, networks, strict=True):
        trained = history[(history["method"] == method) & (history["backbone"] == backbone)]
        for axis, strategy in zip(row, strategies, strict=True):
            _draw_panel(axis, trained[trained["strategy"] == strategy], METHOD_COLOURS[method])
        row[0].set_ylabel(f"{label(method)}\nRMSE (meV/atom)")
        plain_log(row[0].yaxis)
    for axis, strategy in zip(axes[0], strategies, strict=True):
        title_panel(axis, f"{title_of(datasets, dataset)}, {STRATEGY_LABELS[strategy]}")
    for axis in axes[-1]:
        axis.set_xlabel("Epoch")
    handles = [
        Line2D([], [], color="0.3", label="validation frames"),
        Line2D([], [], color="0.3", ls=":", label="training frames"),
        Line2D([], [], color="0.3", ls="", marker="*", ms=7, label="epoch that is kept"),
    ]
    legend_below(figure, handles, len(handles))
    return figure


def _draw_panel(axis: Axes, panel: pd.DataFrame, colour: tuple) -> None:
    for _, run in panel.groupby("seed"):
        epoch = run["epoch"] + 1
        axis.plot(epoch, run["train_rmse"], ":", color=colour, lw=0.8)
        axis.plot(epoch, run["val_rmse"], color=colour, lw=0.8)
        best = run["criterion"].idxmin()
        axis.plot(epoch[best], run["val_rmse"][best], "*", color=colour, mec="0.2", mew=0.4, ms=7)
    axis.set_yscale("log")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(axis="y")
