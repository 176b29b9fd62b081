"""How close test frames are to training frames, under every split."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mekrr.data.closeness import NEAR_REPEAT
from mekrr.study.job import Step
from mekrr.study.methods import STRATEGY_LABELS
from mekrr.study.plots.style import (
    COLUMN,
    TEXT,
    other_colours,
    plain_log,
    title_of,
    title_panel,
    use_house_style,
)
from mekrr.study.tables.tidy import read_tables

COLOURS = other_colours(list(STRATEGY_LABELS))
SMALLEST = 1e-3  # Å, where exact repeats are drawn


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    return {"figure": draw(read_tables(step.input.leaks), step.params.datasets)}


def draw(leaks: pd.DataFrame, datasets: Mapping[str, Mapping]) -> Figure:
    """Share of test frames with a training frame within a distance, a panel per data set.

    Parameters
    ----------
    leaks : dataset, split ("strategy-seed"), frame, rmsd (Å) of every test frame.
    datasets : registry entries of the data sets, for their titles.
    """
    use_house_style()
    names = list(leaks["dataset"].unique())
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(COLUMN if columns == 1 else TEXT, 2.1 * rows + 0.4),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    shown: dict[str, object] = {}
    for axis, name in zip(axes.flat, names, strict=False):
        for split, part in leaks[leaks["dataset"] == name].groupby("split"):
            strategy = split.rsplit("-", 1)[0]
            rmsd = np.sort(part["rmsd"].clip(lower=SMALLEST))
            share = np.arange(1, len(rmsd) + 1) / len(rmsd)
            (line,) = axis.step(
                np.append(SMALLEST, rmsd),
                100 * np.append(0.0, share),
                where="post",
                color=COLOURS[strategy],
                lw=0.9,
            )
            shown.setdefault(STRATEGY_LABELS[strategy], line)
        axis.axvline(NEAR_REPEAT, color="0.5", ls=":", lw=0.8)
        title_panel(axis, title_of(datasets, name))
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    nearest = leaks["rmsd"].clip(lower=SMALLEST).min()
    axes[0, 0].set(xscale="log", ylim=(0, 103), xlim=(0.7 * min(nearest, NEAR_REPEAT), None))
    plain_log(axes[0, 0].xaxis)
    for column in range(columns):  # the lowest panel of each column
        lowest = (len(names) - 1 - column) // columns
        axes[lowest, column].set_xlabel("RMSD to the nearest\ntraining frame (Å)")
        axes[lowest, column].tick_params(labelbottom=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("Test frames within (%)")
    near = f"near repeat, {NEAR_REPEAT:g} Å"
    shown[near] = Line2D([], [], color="0.5", ls=":", lw=0.8)
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=len(shown))
    return figure
