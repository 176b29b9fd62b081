"""Predicted against reference energy of the test frames, and what is left."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mekrr.study.job import Step
from mekrr.study.methods import STRATEGY_LABELS, TRAINED, label
from mekrr.study.plots.style import (
    METHOD_COLOURS,
    PAGE,
    TEXT,
    legend_below,
    title_figure,
    title_of,
    title_panel,
    titles_of,
    use_house_style,
)
from mekrr.study.tables.tidy import chosen_test_predictions, read_tables

LEARNT = (*TRAINED, "linear ridge", "MEKRR-alpha")  # also those whose residuals are shown
METHODS = ("untouched GNN", *LEARNT)
LABELLED = 2  # worst frames named in each panel
TALLEST = 2.7  # inches of a parity plot
SHARE = 0.42  # height of the residuals in that of the parity plot


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    table = chosen_test_predictions(
        read_tables(step.input.predictions), read_tables(step.input.choices)
    )
    params = step.params
    return {"figure": draw(table, step.wildcards.dataset, params.datasets, params.backbones)}


def draw(
    predictions: pd.DataFrame,
    dataset: str,
    datasets: Mapping[str, Mapping],
    backbones: Mapping[str, str],
) -> Figure:
    """Two rows per backbone, energies and residuals; one column per way of splitting.

    Methods without a backbone of the study make two rows of their own.

    Parameters
    ----------
    predictions : tidy table of the chosen layers' test predictions of one data set, eV.
    dataset : its name.
    datasets : registry entries.
    backbones : titles, in order.
    """
    use_house_style()
    table = predictions[predictions["method"].isin(METHODS)]
    zero = (table["energy_ref"] / table["n_atoms"]).mean()
    table = table.assign(
        place=table["backbone"].where(table["backbone"].isin(list(backbones)), "none"),
        reference=1000 * (table["energy_ref"] / table["n_atoms"] - zero),
        predicted=1000 * (table["energy_pred"] / table["n_atoms"] - zero),
    )
    table["residual"] = table["predicted"] - table["reference"]
    titles = {**titles_of(backbones), "none": "without a backbone"}
    places = [b for b in titles if b in set(table["place"])]
    strategies = list(dict.fromkeys(table["strategy"]))
    size = min(TALLEST, (PAGE - 0.8) / len(places) / (1 + SHARE) - 0.4)
    figure, axes = plt.subplots(
        2 * len(places),
        len(strategies),
        figsize=(TEXT, 0.8 + len(places) * ((1 + SHARE) * size + 0.45)),
        height_ratios=[1, SHARE] * len(places),
        squeeze=False,
        sharex="col",
        layout="constrained",
    )
    for number, place in enumerate(places):
        energies, residuals = axes[2 * number], axes[2 * number + 1]
        for above, below, strategy in zip(energies, residuals, strategies, strict=True):
            panel = table[(table["place"] == place) & (table["strategy"] == strategy)]
            _draw_energies(above, panel)
            _draw_residuals(below, panel)
            title_panel(above, f"{titles[place]}, {STRATEGY_LABELS[strategy]}")
        energies[0].set_ylabel("Predicted energy\n(meV/atom)")
        residuals[0].set_ylabel("Residual\n(meV/atom)")
    for axis in axes[-1]:
        axis.set_xlabel("Reference energy (meV/atom)")
    handles = [
        Line2D([], [], ls="", marker="o", mew=0, color=METHOD_COLOURS[m], label=label(m))
        for m in METHODS
        if m in set(table["method"])
    ]
    ring = Line2D([], [], ls="", marker="o", mfc="none", mec="black", mew=0.7, ms=6)
    ring.set_label("worst, frame number")
    handles.append(ring)
    legend_below(figure, handles, min(len(handles), 5))
    title_figure(
        figure,
        f"{title_of(datasets, dataset)}, test frames of all seeds; energies from their mean, "
        "residuals of fits alone",
    )
    return figure


def _draw_energies(axis: Axes, panel: pd.DataFrame) -> None:
    reference, predicted = panel["reference"], panel["predicted"]
    low, high = min(reference.min(), predicted.min()), max(reference.max(), predicted.max())
    axis.plot([low, high], [low, high], color="0.6", lw=0.8, zorder=0)
    _scatter(axis, panel, METHODS, "predicted")
    _name_worst(axis, panel)
    axis.yaxis.set_major_locator(MaxNLocator(5))


def _draw_residuals(axis: Axes, panel: pd.DataFrame) -> None:
    axis.axhline(0.0, color="0.6", lw=0.8, zorder=0)
    _scatter(axis, panel, LEARNT, "residual")
    axis.yaxis.set_major_locator(MaxNLocator(4))
    reference = panel["reference"]
    margin = 0.05 * (reference.max() - reference.min())
    axis.set_xlim(reference.min() - margin, reference.max() + margin)


def _scatter(axis: Axes, panel: pd.DataFrame, methods: tuple[str, ...], column: str) -> None:
    for method in methods:
        rows = panel[panel["method"] == method]
        axis.plot(
            rows["reference"],
            rows[column],
            "o",
            ms=2,
            alpha=0.6,
            mew=0,
            color=METHOD_COLOURS[method],
        )


def _name_worst(axis: Axes, panel: pd.DataFrame) -> None:
    """Ring the frames with the largest MEKRR-α error over all seeds and give their number."""
    panel = panel[panel["method"] == METHODS[-1]]
    error = panel["residual"].abs()
    worst_of_frame = error.groupby(panel["frame"]).idxmax()
    worst = error.loc[worst_of_frame].sort_values(ascending=False).index[:LABELLED]
    for row in worst:
        x, y = panel.loc[row, "reference"], panel.loc[row, "predicted"]
        above = panel.loc[row, "residual"] > 0  # away from the diagonal
        axis.plot(x, y, "o", mfc="none", mec="black", mew=0.7, ms=6)
        axis.annotate(
            str(panel.loc[row, "frame"]),
            (x, y),
            xytext=(-4, 4) if above else (4, -4),
            textcoords="offset points",
            ha="right" if above else "left",
            va="bottom" if above else "top",
            fontsize=6.5,
        )
