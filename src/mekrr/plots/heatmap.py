"""Kernel between the frames of one stretch of a trajectory, the paper's Figure 3."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mekrr.plots.style import PALETTE, TEXT, use_house_style
from mekrr.variables import axis_label, label

CLUSTER_COLOURS = (PALETTE[9], PALETTE[1])


def draw(
    kernels: dict[float, np.ndarray], series: pd.DataFrame, variable: Mapping | None, title: str
) -> Figure:
    """Heatmaps of K_α above, the collective variable in front of the clusters below.

    Parameters
    ----------
    kernels : from α to (n, n) kernel between the frames in time order.
    series : frame, the collective variable under its label, and ``cluster_{α:g}``, the
        cluster (0 or 1) of each frame under K_α.
    variable : description of the collective variable, None if there is none.
    """
    use_house_style()
    figure, axes = plt.subplots(
        2,
        len(kernels),
        figsize=(TEXT, 4.7),  # makes the heatmaps square
        height_ratios=[2.9, 1],
        sharex=True,
        sharey="row",
        layout="constrained",
    )
    position = np.arange(len(series))
    for column, (alpha, kernel) in enumerate(kernels.items()):
        top, bottom = axes[:, column]
        scaled = (kernel - kernel.min()) / np.ptp(kernel)
        extent = (-0.5, len(series) - 0.5) * 2
        image = top.imshow(scaled, cmap="viridis", origin="lower", extent=extent, aspect="auto")
        top.set_title(f"α = {alpha:g}")
        clusters = series[f"cluster_{alpha:g}"].to_numpy()
        for k in position:
            bottom.axvspan(k - 0.5, k + 0.5, color=CLUSTER_COLOURS[clusters[k]], alpha=0.45, lw=0)
        if variable:
            bottom.plot(position, series[label(variable)], color="black", lw=1)
        else:
            bottom.set_yticks([])
        bottom.set_xlabel("Frame of the stretch, in time order")
        bottom.set_xlim(-0.5, len(series) - 0.5)
    axes[0, 0].set_ylabel("Frame of the stretch")
    if variable:
        axes[1, 0].set_ylabel(axis_label(variable))
    bar = figure.colorbar(image, ax=list(axes[0]), pad=0.02)
    bar.set_label(r"$K_\alpha$, scaled to [0, 1]")
    figure.suptitle(title, fontsize=9)
    figure.legend(
        handles=[
            Patch(color=c, alpha=0.45, label=f"cluster {k + 1}")
            for k, c in enumerate(CLUSTER_COLOURS)
        ],
        loc="outside lower center",
        ncols=2,
    )
    return figure
