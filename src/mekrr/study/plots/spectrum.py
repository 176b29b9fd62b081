"""Eigenvalues of the training kernel beside the regularisation."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from mekrr.study.job import Step
from mekrr.study.methods import label
from mekrr.study.plots.style import (
    METHOD_COLOURS,
    PAGE,
    TEXT,
    legend_below,
    plain_log,
    title_of,
    title_panel,
    titles_of,
    use_house_style,
)
from mekrr.study.tables.tidy import read_tables

# A kernel has the colour of the method that uses it alone, or besides K₀.
KERNELS = {0.0: ("K₀", "MEKRR"), 1.0: ("K₁", "MEKRR-alpha")}
DASHES = {"MEKRR": (0, (5, 5)), "MEKRR-alpha": (5, (5, 5))}  # both show where they coincide


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    values, noise = (read_tables(paths) for paths in (step.input.eigenvalues, step.input.noise))
    return {"figure": draw(values, noise, step.params.datasets, step.params.backbones)}


def draw(
    eigenvalues: pd.DataFrame,
    noise: pd.DataFrame,
    datasets: Mapping[str, Mapping],
    backbones: Mapping[str, str],
) -> Figure:
    """One row per data set, one column per backbone.

    Parameters
    ----------
    eigenvalues : dataset, backbone, layer, alpha, rank, eigenvalue of one layer each.
    noise : dataset, backbone, method and noise, the λT of its fit.
    datasets, backbones : registry entries and titles, in order.
    """
    use_house_style()
    names = [d for d in datasets if d in set(eigenvalues["dataset"])]
    height = min(2.2, (PAGE - 0.8) / len(names))
    figure, axes = plt.subplots(
        len(names),
        len(backbones),
        figsize=(TEXT, 0.7 + height * len(names)),
        squeeze=False,
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    for row, dataset in zip(axes, names, strict=True):
        for axis, (backbone, title) in zip(row, titles_of(backbones).items(), strict=True):
            ours = _of(eigenvalues, dataset, backbone)
            for alpha, (_, method) in KERNELS.items():
                curve = ours[(ours["alpha"] == alpha) & (ours["eigenvalue"] > 0)]
                axis.plot(curve["rank"], curve["eigenvalue"], color=METHOD_COLOURS[method])
            for fit in _of(noise, dataset, backbone).itertuples():
                axis.axhline(
                    fit.noise, color=METHOD_COLOURS[fit.method], ls=DASHES[fit.method], lw=0.9
                )
            layer = ours["layer"].iloc[0]
            title_panel(axis, f"{title_of(datasets, dataset)}, {title}, layer {layer}")
        row[0].set_ylabel("Eigenvalue")
    axes[0, 0].set(xscale="log", yscale="log")
    low = eigenvalues["eigenvalue"].max() * np.finfo(float).eps
    smallest = min(
        eigenvalues.loc[eigenvalues["eigenvalue"] > low, "eigenvalue"].min(), noise["noise"].min()
    )
    axes[0, 0].set_ylim(0.3 * smallest, None)
    axes[0, 0].yaxis.set_major_locator(LogLocator(numticks=6))
    axes[0, 0].yaxis.set_minor_locator(NullLocator())
    plain_log(axes[0, 0].xaxis)
    for axis in axes[-1]:
        axis.set_xlabel("Rank")
    handles = [Line2D([], [], color=METHOD_COLOURS[m], label=k) for k, m in KERNELS.values()]
    handles += [
        Line2D([], [], color=METHOD_COLOURS[m], ls=DASHES[m], lw=0.9, label=f"λT of {label(m)}")
        for _, m in KERNELS.values()
    ]
    legend_below(figure, handles, len(handles))
    return figure


def _of(table: pd.DataFrame, dataset: str, backbone: str) -> pd.DataFrame:
    return table[(table["dataset"] == dataset) & (table["backbone"] == backbone)]
