"""Molecular dynamics with what was fitted: energies along the runs, bonds, how far they got."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mekrr.study.experiments.molecular_dynamics.facts import RUN, TRUE, read_facts, summaries
from mekrr.study.job import Step
from mekrr.study.methods import ORDER
from mekrr.study.plots.style import (
    METHOD_COLOURS,
    TEXT,
    fit_label,
    legend_below,
    title_figure,
    title_of,
    use_house_style,
)

COLOURS = METHOD_COLOURS | {TRUE: "black"}
STYLES = ("-", "--", ":", "-.")  # of backbones
SHOWN_BONDS = 2
MOST_BINS = 50
MOST_POINTS = 100  # of a temperature, which is averaged over what lies between them
TAILS = (0.002, 0.998)  # of the lengths of bonds, beyond which nothing is drawn


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    given, params, wildcards = step.input, step.params, step.wildcards
    tables = read_facts(given.logs, given.errors, given.bonds)
    title = f"{title_of(params.datasets, wildcards.dataset)}, {wildcards.ensemble}"
    return {"figure": draw(*tables, params.tolerance, params.length, params.backbones, title)}


def draw(
    logs: pd.DataFrame,
    errors: pd.DataFrame,
    bonds: pd.DataFrame,
    tolerance: float,
    length: float,
    backbones: Mapping[str, str],
    title: str,
) -> Figure:
    """Total energy, temperature and error along the runs; lengths of bonds; how far they got.

    Parameters
    ----------
    logs, errors, bonds : of all runs of one data set and ensemble, see
        `mekrr.study.experiments.molecular_dynamics`.
    tolerance : meV/atom, within which a run counts as true.
    length : ps, of a run that comes to its end.
    backbones : titles, in order.
    """
    use_house_style()
    table = summaries(logs, errors, bonds, tolerance)
    rank = {name: k for k, name in enumerate((TRUE, *ORDER))}
    runs = sorted(map(tuple, table[RUN].to_numpy()), key=lambda run: rank[run[2]])
    figure, axes = plt.subplots(2, 3, figsize=(TEXT, 4.1), layout="constrained")
    total, temperature, error, *of_bonds, reached = axes.flat
    style = {name: STYLES[k % len(STYLES)] for k, name in enumerate(backbones)} | {"none": "-"}
    lines = {run: {"color": COLOURS[run[2]], "ls": style[run[3]], "lw": 0.9} for run in runs}
    n_atoms = errors["n_atoms"].iloc[0]
    for run in runs:
        log, wrong = (_of(facts, run) for facts in (logs, errors))
        time = log["time_fs"] / 1000
        total.plot(time, _from_start(log["total_energy"], n_atoms), **lines[run])
        temperature.plot(_smooth(time), _smooth(log["temperature_K"]), **lines[run])
        if run[2] != TRUE:
            course = _from_start(wrong["energy"] - wrong["true_energy"], n_atoms)
            error.plot(wrong["time_fs"] / 1000, course, **lines[run])
    for sign in (-1, 1):
        error.axhline(sign * tolerance, color="0.5", ls="--", lw=0.6)
    for axis, quantity in (
        (total, "Total energy from\nthe start (meV/atom)"),
        (temperature, "Temperature (K)"),
        (error, "Error against DIEP\n(meV/atom)"),
    ):
        axis.set(xlabel="Time (ps)", ylabel=quantity, xlim=(0, length))
    names = list(dict.fromkeys(bonds["bond"]))[:SHOWN_BONDS]
    for axis, name in zip(of_bonds, names, strict=False):
        _draw_bond(axis, name, bonds[bonds["bond"] == name], lines)
    for axis in of_bonds[len(names) :]:
        axis.set_axis_off()
    _draw_reached(reached, table, lines, length)
    reached.set_xlabel(f"Length of the run (ps)\ntick: {tolerance:g} meV/atom from DIEP")
    title_figure(figure, title, fontsize=9)
    handles = [Line2D([], [], **lines[r], label=fit_label(r[2], r[3], backbones)) for r in runs]
    legend_below(figure, handles, 4)
    return figure


def _of(table: pd.DataFrame, run: tuple[str, ...]) -> pd.DataFrame:
    return table[(table[RUN] == list(run)).all(axis=1)]


def _from_start(energy: pd.Series, n_atoms: int) -> pd.Series:
    """Return energies (eV) as meV/atom from the first."""
    return 1000 * (energy - energy.iloc[0]) / n_atoms


def _smooth(values: pd.Series) -> np.ndarray:
    """Return means of consecutive values, at most `MOST_POINTS` of them."""
    return np.array([p.mean() for p in np.array_split(values, min(len(values), MOST_POINTS))])


def _draw_bond(axis: Axes, name: str, bonds: pd.DataFrame, lines: Mapping) -> None:
    """Draw how often which length is, for each run, that of the true potential filled."""
    lengths = np.repeat(bonds["length"], bonds["count"])
    n_bins = min(MOST_BINS, max(5, round(np.sqrt(len(lengths) / len(lines)))))
    edges = np.linspace(*np.quantile(lengths, TAILS), n_bins + 1)
    for run, line in lines.items():
        own = _of(bonds, run)
        filled = run[2] == TRUE
        axis.hist(
            own["length"],
            edges,
            weights=own["count"] / own["count"].sum(),
            histtype="stepfilled" if filled else "step",
            **({"color": "0.8"} if filled else line),
        )
    axis.set(xlabel=f"{name} bond (Å)", ylabel="Share of the bonds")


def _draw_reached(axis: Axes, table: pd.DataFrame, lines: Mapping, length: float) -> None:
    """Draw how long each run lasted, why it ended, and, as a tick, how long it stayed true."""
    rows = {tuple(row[key] for key in RUN): row for row in table.to_dict("records")}
    for y, (run, line) in enumerate(lines.items()):
        row = rows[run]
        axis.barh(y, row["ps"], 0.6, color=line["color"], alpha=0.5, lw=0)
        if row["true_ps"] < row["ps"]:
            axis.plot([row["true_ps"]] * 2, [y - 0.42, y + 0.42], color=line["color"], lw=2)
        if row["left"]:
            axis.annotate(
                row["left"], (row["ps"], y), (3, 0), textcoords="offset points", va="center"
            )
    axis.set(xlim=(0, length), ylim=(len(lines) - 0.4, -0.6))
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
