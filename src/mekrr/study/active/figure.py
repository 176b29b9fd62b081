"""The figures of a loop: errors against labelled frames, and what its trajectories were like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mekrr.data.variables import axis_label
from mekrr.selection.figure import COLOURS
from mekrr.study.active.steps import trajectory_values
from mekrr.study.active.summary import WHERE
from mekrr.study.job import Step
from mekrr.study.plots.style import (
    TEXT,
    legend_below,
    plain_log,
    save,
    use_house_style,
)

ROWS = {
    "energy_rmse": "Energy RMSE\n(meV/atom)",
    "force_rmse_shown": "Force RMSE of\nreacting atoms (meV/Å)",
}


def errors(step: Step) -> None:
    """Draw the errors of the table."""
    table = pd.read_csv(step.input.table)
    save(draw_errors(table, step.params.shown, step.params.ways), step.output)


def draw_errors(table: pd.DataFrame, shown: Mapping, ways: Sequence[str]) -> Figure:
    """A row for energies and one for forces; all test frames, those below and beyond a value.

    Lines are means over seeds, bands their range.
    """
    use_house_style()
    figure = Figure(figsize=(TEXT, 3.8), layout="constrained")
    axes = figure.subplots(len(ROWS), len(WHERE), sharex=True, sharey="row", squeeze=False)
    name = axis_label(shown["variable"]).removesuffix(" (Å)")
    unit = " Å" if "distance" in shown["variable"] else ""
    titles = {
        "all": "all test frames",
        "below": f"{name} below {shown['beyond']:g}{unit}",
        "beyond": f"{name} beyond {shown['beyond']:g}{unit}",
    }
    for row, (column, quantity) in zip(axes, ROWS.items(), strict=True):
        for axis, where in zip(row, WHERE, strict=True):
            part = table[table["where"] == where]
            for way in ways:
                # All ways begin with the fit to the start frames.
                _line(axis, part[part["way"].isin([way, "start"])], column, COLOURS[way])
            axis.set_yscale("log")
        row[0].set_ylabel(quantity)
        plain_log(row[0].yaxis)
    for axis, where in zip(axes[0], WHERE, strict=True):
        axis.set_title(titles[where])
    for axis in axes[-1]:
        axis.set_xlabel("Labelled frames")
    handles = [Line2D([], [], color=COLOURS[w], marker="o", label=_words(w)) for w in ways]
    legend_below(figure, handles, len(handles))
    return figure


def _words(way: str) -> str:
    return {
        "variance": "selected in the loop, by variance",
        "fps": "selected in the loop, by farthest points",
        "random": "at random from long runs",
        "stride": "by stride from long runs",
    }[way]


def _line(axis: Axes, fits: pd.DataFrame, column: str, colour: str) -> None:
    by_round = fits.groupby("round").agg(
        n=("n_train", "mean"), mean=(column, "mean"), low=(column, "min"), high=(column, "max")
    )
    axis.plot(by_round["n"], by_round["mean"], color=colour, marker="o")
    axis.fill_between(
        by_round["n"], by_round["low"], by_round["high"], color=colour, alpha=0.15, lw=0
    )


def trajectories(step: Step) -> None:
    """Draw the runs of all rounds."""
    params = step.params
    runs = [trajectory_values(path, params.shown["variable"]) for path in step.input.frames]
    chosen = [pd.read_csv(path) for path in step.input.chosen]
    save(draw_trajectories(runs, chosen, params.runs, params.shown), step.output)


def draw_trajectories(
    runs: Sequence[pd.DataFrame],
    chosen: Sequence[pd.DataFrame],
    names: Sequence[tuple[int, int]],
    shown: Mapping,
) -> Figure:
    """Uncertainty along each run, a row for each seed, a column for each round.

    Parameters
    ----------
    runs : time_fs, energy_std (meV/atom) and variable. chosen : time_fs of selected frames.
    names : seed and round of each.
    """
    use_house_style()
    seeds, rounds = (sorted({name[k] for name in names}) for k in (0, 1))
    figure = Figure(figsize=(TEXT, 0.7 + 1.15 * len(seeds)), layout="constrained")
    axes = figure.subplots(len(seeds), len(rounds), sharex=True, sharey=True, squeeze=False)
    values = np.concatenate([run["variable"] for run in runs])
    norm = Normalize(values.min(), values.max())
    for run, some, (seed, number) in zip(runs, chosen, names, strict=True):
        axis = axes[seeds.index(seed), rounds.index(number)]
        axis.scatter(run["time_fs"], run["energy_std"], c=run["variable"], norm=norm, s=5, lw=0)
        of_chosen = run.set_index("time_fs").reindex(some["time_fs"])["energy_std"]
        ring = {"facecolors": "none", "edgecolors": "0.1", "s": 18, "lw": 0.6}
        axis.scatter(some["time_fs"], of_chosen, **ring)
    axes[0, 0].set_ylim(0.0, 1.08 * max(run["energy_std"].max() for run in runs))
    for axis, number in zip(axes[0], rounds, strict=True):
        axis.set_title(f"round {number}")
    for row, seed in zip(axes, seeds, strict=True):
        row[0].set_ylabel(f"seed {seed}")
    figure.supxlabel("Time (fs)", fontsize=8)
    figure.supylabel("Uncertainty (meV/atom)", fontsize=8)
    figure.colorbar(ScalarMappable(norm), ax=axes, label=axis_label(shown["variable"]), aspect=40)
    return figure
