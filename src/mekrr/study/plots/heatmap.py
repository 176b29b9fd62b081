"""Kernels between the frames of one stretch of a trajectory, the paper's Figures 3 and 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from mekrr.data.variables import axis_label, label
from mekrr.kernels.store import read_kernels
from mekrr.study.experiments.stretch import boundaries, part_of
from mekrr.study.job import Step
from mekrr.study.plots.panels import MIXTURES, Panel, by_layer, of_layer, shares
from mekrr.study.plots.style import (
    CLUSTER_COLOURS,
    RED,
    TEXT,
    cut,
    legend_below,
    title_figure,
    title_of,
    title_panel,
    use_house_style,
)

MARGINS = 1.1  # inches of the width that are not panels
WIDEST = 2.75  # inches of a panel
STRIP = 0.42  # height of the collective variable, in that of a map, at least
STRIP_INCHES = 0.62
SCORES = "clusters against the event: balanced accuracy | adjusted Rand index"


@dataclass(frozen=True)
class Clock:
    """What the frames of a stretch are plotted against.

    Attributes
    ----------
    title : with its unit.
    begin, end : outer edges of the first and the last frame.
    frames : (n,) of each frame, evenly spaced.
    """

    title: str
    begin: float
    end: float
    frames: np.ndarray

    @classmethod
    def of(cls, series: pd.DataFrame) -> Clock:
        """Time, where frames state it and follow each other evenly; else their number."""
        title, frames = "Frame of the stretch", np.arange(len(series), dtype=float)
        for column, name, unit in (("frame", "Frame", 1.0), ("time_fs", "Time (ps)", 1e-3)):
            found = unit * series[column].to_numpy(dtype=float) if column in series else frames
            steps = np.diff(found)
            if column in series and steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-3):
                title, frames = name, found
        half = (frames[1] - frames[0]) / 2
        return cls(title, frames[0] - half, frames[-1] + half, frames)


def figures(step: Step) -> dict[str, Figure]:
    """Return the figures of a step of the study: of one layer, of all, by species."""
    name, backbone, layer = step.wildcards.dataset, step.wildcards.backbone, step.params.layer
    entry = step.params.datasets[name]
    series, scores = pd.read_csv(step.input.series), pd.read_csv(step.input.scores)
    clusters = pd.read_csv(step.input.clusters)
    kernels, frames = read_kernels(step.input.kernels)
    grams = part_of(kernels, np.searchsorted(frames, series["index"]))
    about = (series, entry.get("collective_variables", [None])[0], entry.get("event"))
    title = f"{title_of(step.params.datasets, name)}, {cut(step.params.backbones[backbone])}"
    of_one = f"{title}, layer {layer}"
    mixtures = [of_layer(grams, clusters, scores, layer, MIXTURES)]
    species = [of_layer(grams, clusters, scores, layer, shares(grams))]
    return {
        "heatmap": draw(mixtures, *about, of_one),
        "layers": draw(by_layer(grams, clusters, scores), *about, title),
        "contributions": draw(species, *about, of_one),
    }


def draw(
    rows: Sequence[Sequence[Panel]],
    series: pd.DataFrame,
    variable: Mapping | None,
    event: Mapping | None,
    title: str,
) -> Figure:
    """Each panel a heatmap, below it the collective variable in front of the clusters.

    Parameters
    ----------
    rows : panels, from top to bottom, all rows of one length.
    series : frames in time order: frame, run, time_fs if known, the collective variable.
    variable : description of the collective variable, None if there is none.
    event : its threshold under ``above``, None if the registry names none.
    """
    use_house_style()
    columns = len(rows[0])
    size = min((TEXT - MARGINS) / columns, WIDEST)
    strip = max(STRIP * size, STRIP_INCHES)
    figure, axes = plt.subplots(
        2 * len(rows),
        columns,
        figsize=(TEXT, 0.75 + len(rows) * (size + strip + 0.35)),
        height_ratios=[size, strip] * len(rows),
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)
    clock = Clock.of(series)
    for number, panels in enumerate(rows):
        maps, strips = axes[2 * number], axes[2 * number + 1]
        for above, below, panel in zip(maps, strips, panels, strict=True):
            image = _draw_map(above, panel, clock)
            _draw_strip(below, panel.clusters, series, clock, variable, event)
        maps[0].set_ylabel(clock.title)
        if variable:
            strips[0].set_ylabel(axis_label(variable).replace(" ", "\n"))
    for axis in axes[-1]:
        axis.set_xlabel(clock.title)
    few = MaxNLocator(5 if columns < 4 else 3)
    axes[0, 0].xaxis.set_major_locator(few)
    bar = figure.colorbar(image, ax=axes[::2], pad=0.02, aspect=30, ticks=[0, 0.5, 1])
    bar.set_label("Kernel, scaled to\n[0, 1] in each panel")
    bar.outline.set_visible(False)
    if any(panel.scores for panels in rows for panel in panels):
        title += f"\n{SCORES}"
    title_figure(figure, title)
    handles = [Patch(color=c, label=f"cluster {k + 1}") for k, c in enumerate(CLUSTER_COLOURS)]
    if variable:
        handles.append(Line2D([], [], color="black", lw=1, label=label(variable)))
    if event and variable:
        unit = " Å" if "distance" in variable else ""
        text = f"event, above {event['above']:g}{unit}"
        handles.append(Line2D([], [], color="0.3", ls=":", lw=0.9, label=text))
    if len(boundaries(series["run"].to_numpy())):
        handles.append(Line2D([], [], color=RED, lw=0.9, label="another run begins"))
    legend_below(figure, handles, len(handles))
    return figure


def _draw_map(axis: Axes, panel: Panel, clock: Clock):
    extent = (clock.begin, clock.end) * 2
    low, span = panel.kernel.min(), np.ptp(panel.kernel)
    scaled = (panel.kernel - low) / (span if span > 0 else 1.0)
    scores = "\n{:.2f} | {:.2f}".format(*panel.scores) if panel.scores else ""
    title_panel(axis, panel.title + scores)
    axis.yaxis.set_major_locator(MaxNLocator(4))
    return axis.imshow(
        scaled, origin="lower", extent=extent, aspect="auto", vmin=0, vmax=1, interpolation="none"
    )


def _draw_strip(
    axis: Axes,
    clusters: np.ndarray,
    series: pd.DataFrame,
    clock: Clock,
    variable: Mapping | None,
    event: Mapping | None,
) -> None:
    values = series[label(variable)].to_numpy() if variable else np.array([0.0, 1.0])
    margin = 0.06 * np.ptp(values)
    low, high = values.min() - margin, values.max() + margin
    axis.imshow(
        clusters[None],
        cmap=ListedColormap(CLUSTER_COLOURS),
        extent=(clock.begin, clock.end, low, high),
        aspect="auto",
        vmin=0,
        vmax=1,
        interpolation="none",
    )
    if variable:
        axis.plot(clock.frames, values, color="black", lw=0.8)
        axis.yaxis.set_major_locator(MaxNLocator(3))
    else:
        axis.set_yticks([])
    if event and variable:
        axis.axhline(event["above"], color="0.3", ls=":", lw=0.9)
    for k in boundaries(series["run"].to_numpy()):
        axis.axvline((clock.frames[k - 1] + clock.frames[k]) / 2, color=RED, lw=0.9)
    axis.set(xlim=(clock.begin, clock.end), ylim=(low, high))
