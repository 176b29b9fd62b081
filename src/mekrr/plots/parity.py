"""Predicted against reference energy of the test frames."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mekrr.methods import STRATEGY_LABELS, label
from mekrr.plots.style import (
    METHOD_COLOURS,
    TEXT,
    title_of,
    use_house_style,
)

METHODS = ("untouched GNN", "linear ridge", "MEKRR-alpha")
LABELLED = 2  # worst frames named in each panel


def draw(predictions: pd.DataFrame, dataset: str, datasets: Mapping[str, Mapping]) -> Figure:
    """One row per backbone, one column per way of splitting; all seeds' test frames.

    Parameters
    ----------
    predictions : tidy table of the chosen layers' test predictions of one data set, eV.
    """
    use_house_style()
    table = predictions[predictions["method"].isin(METHODS)]
    backbones = list(dict.fromkeys(table["backbone"]))
    strategies = list(dict.fromkeys(table["strategy"]))
    figure, axes = plt.subplots(
        len(backbones),
        len(strategies),
        figsize=(TEXT, 0.6 + 3.3 * len(backbones)),
        squeeze=False,
        layout="constrained",
    )
    zero = (table["energy_ref"] / table["n_atoms"]).mean()
    for row, backbone in zip(axes, backbones, strict=True):
        for axis, strategy in zip(row, strategies, strict=True):
            panel = table[(table["backbone"] == backbone) & (table["strategy"] == strategy)]
            _draw_panel(axis, panel, zero)
            axis.set_title(f"{backbone}\n{STRATEGY_LABELS[strategy]}")
        row[0].set_ylabel("Predicted energy (meV/atom)")
    for axis in axes[-1]:
        axis.set_xlabel("Reference energy (meV/atom)")
    handles = [
        Line2D([], [], ls="", marker="o", color=METHOD_COLOURS[m], label=label(m))
        for m in METHODS
        if m in set(table["method"])
    ]
    handles.append(
        Line2D(
            [], [], ls="", marker="o", mfc="none", mec="black", ms=6, label="worst, frame number"
        )
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    figure.suptitle(
        f"{title_of(datasets, dataset)}, test frames of all seeds; energies relative to their mean",
        fontsize=9,
    )
    return figure


def _draw_panel(axis: Axes, panel: pd.DataFrame, zero: float) -> None:
    reference = 1000 * (panel["energy_ref"] / panel["n_atoms"] - zero)
    predicted = 1000 * (panel["energy_pred"] / panel["n_atoms"] - zero)
    low, high = min(reference.min(), predicted.min()), max(reference.max(), predicted.max())
    margin = 0.05 * (high - low)
    axis.plot([low, high], [low, high], color="0.6", lw=0.8, zorder=0)
    for method in METHODS:
        rows = panel["method"] == method
        axis.plot(
            reference[rows],
            predicted[rows],
            "o",
            ms=2,
            alpha=0.6,
            mew=0,
            color=METHOD_COLOURS[method],
        )
    _name_worst(axis, panel[panel["method"] == METHODS[-1]], zero)
    axis.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin))
    axis.set_box_aspect(1)


def _name_worst(axis: Axes, panel: pd.DataFrame, zero: float) -> None:
    """Ring the frames with the largest MEKRR-α error over all seeds and give their number."""
    reference = 1000 * (panel["energy_ref"] / panel["n_atoms"] - zero)
    predicted = 1000 * (panel["energy_pred"] / panel["n_atoms"] - zero)
    error = (predicted - reference).abs()
    worst_of_frame = error.groupby(panel["frame"]).idxmax()
    worst = error.loc[worst_of_frame].sort_values(ascending=False).index[:LABELLED]
    for rank, row in enumerate(worst):
        x, y = reference[row], predicted[row]
        axis.plot(x, y, "o", mfc="none", mec="black", mew=0.7, ms=6)
        axis.annotate(
            str(panel.loc[row, "frame"]),
            (x, y),
            xytext=(-3, 3) if rank else (3, -3),
            textcoords="offset points",
            ha="right" if rank else "left",
            va="bottom" if rank else "top",
            fontsize=6.5,
        )
