"""The figure of a pre-training: how the networks learnt, and how far that goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mekrr.study.job import Step
from mekrr.study.plots.style import (
    TEXT,
    legend_below,
    other_colours,
    plain_log,
    save,
    use_house_style,
)

CURVES = {
    "val_rmse": ("energy", "Energy RMSE (meV/atom)"),
    "val_force_rmse": ("force", "Force RMSE (meV/Å)"),
}
KNOWING_NOTHING = {"energy": "composition", "force": "zero_force"}


def learning(step: Step) -> None:
    """Draw the validation errors by epoch, and those of what is unseen at the end."""
    histories = {Path(path).parent.name: pd.read_csv(path) for path in step.input.histories}
    save(draw(histories, pd.read_csv(step.input.errors)), step.output)


def draw(histories: dict[str, pd.DataFrame], errors: pd.DataFrame) -> Figure:
    """A column for energies, one for forces; curves above, below them the errors by part."""
    use_house_style()
    names = list(histories)
    colours = other_colours(names)
    figure = Figure(figsize=(TEXT, 4.6), layout="constrained")
    upper, lower = figure.subplots(2, 2, squeeze=True)
    for axis, below, (column, (quantity, words)) in zip(upper, lower, CURVES.items(), strict=True):
        for name, history in histories.items():
            axis.plot(history["epoch"] + 1, history[column], color=colours[name])
        axis.set(xlabel="Epoch", ylabel=f"{words} of\nvalidation frames", yscale="log")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        plain_log(axis.yaxis)
        _bars(below, errors, names, colours, quantity)
        below.set_xlabel(words)
    lower[1].tick_params(labelleft=False)
    handles = [Line2D([], [], color=colours[name], marker="o", label=name) for name in names]
    handles.append(
        Line2D([], [], color="0.4", marker="|", linestyle="none", label="knowing nothing")
    )
    legend_below(figure, handles, len(handles))
    return figure


def _bars(axis, errors: pd.DataFrame, names: Sequence[str], colours, quantity: str) -> None:
    """Errors of each part, a row for each, beside those of composition alone or no force."""
    parts = list(dict.fromkeys(errors["part"]))
    for row, part in enumerate(parts):
        own = errors[errors["part"] == part].set_index("network")
        for k, name in enumerate(names):
            place = row + 0.3 * (k - (len(names) - 1) / 2) / max(len(names) - 1, 1)
            axis.plot(own.loc[name, f"{quantity}_rmse"], place, "o", color=colours[name])
        nothing = own[f"{KNOWING_NOTHING[quantity]}_rmse"].iloc[0]
        axis.plot(nothing, row, "|", color="0.4", markersize=12, markeredgewidth=1.5)
    axis.set_yticks(range(len(parts)), parts)
    axis.set_ylim(len(parts) - 0.5, -0.5)
    axis.set_xscale("log")
    plain_log(axis.xaxis)
