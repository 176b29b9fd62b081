"""A picture of a choice: where the frames are in the trajectory, and what they leave unknown."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mekrr.files import atomic_path
from mekrr.selection.choose import Selection

GREY, BLUE, ORANGE, GREEN, PINK = "0.6", "#0173b2", "#de8f05", "#029e73", "#cc78bc"
COLOURS = {"variance": BLUE, "fps": PINK, "random": ORANGE, "stride": GREEN}

DOTS: dict[str, Any] = {"marker": ".", "linestyle": "none", "markersize": 2, "rasterized": True}
RINGS: dict[str, Any] = {"facecolors": "none", "edgecolors": "0.1", "linewidths": 0.7, "s": 18}


def draw_selection(selection: Selection, method: str, path: str | os.PathLike) -> None:
    """Draw a choice by a method, whole or not at all; the suffix says the format."""
    figure = Figure(figsize=(6.9, 2.8), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    along, after = figure.subplots(1, 2, width_ratios=(3, 2))
    factor, unit = (1.0, "relative") if selection.relative else (1000.0, "meV/atom")
    _along(along, selection, method, factor)
    along.set_ylabel(f"standard deviation ({unit})")
    _after(after, selection, factor)
    for axes in (along, after):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylim(bottom=0.0)
        axes.tick_params(labelsize=7)
        for text in (axes.xaxis.label, axes.yaxis.label):
            text.set_fontsize(8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary)


def _along(axes: Axes, selection: Selection, method: str, factor: float) -> None:
    """Draw the candidates along the trajectory."""
    order = np.argsort(selection.candidates)
    places = selection.candidates[order]
    before, after = factor * selection.before[order], factor * selection.after[order]
    axes.plot(places, before, color=GREY, label="before", **DOTS)
    axes.plot(places, after, color=COLOURS[method], label="after", **DOTS)
    axes.scatter(selection.places, factor * selection.stds, label="chosen", **RINGS)
    axes.set_xlabel("frame")
    axes.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, frameon=False, fontsize=7,
        markerscale=1.5, handletextpad=0.3, columnspacing=1.2,
    )  # fmt: skip


def _after(axes: Axes, selection: Selection, factor: float) -> None:
    """Draw what as many frames chosen in other ways leave."""
    for name, part in selection.left.groupby("method", sort=False):
        colour = COLOURS[str(name)]
        axes.plot(part["chosen"], factor * part["largest"], color=colour, label=str(name))
        axes.plot(part["chosen"], factor * part["mean"], color=colour, linestyle=(0, (3, 2)))
    axes.plot([], [], color="0.3", label="largest")
    axes.plot([], [], color="0.3", linestyle=(0, (3, 2)), label="mean")
    axes.set_xlabel("frames chosen")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, frameon=False, fontsize=7,
        handlelength=1.5, handletextpad=0.4, columnspacing=1.0,
    )  # fmt: skip
