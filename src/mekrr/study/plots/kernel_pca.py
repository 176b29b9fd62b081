"""All frames along the two principal components of the training kernel."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mekrr.data.variables import axis_label, label
from mekrr.study.job import Step
from mekrr.study.plots.style import (
    PAGE,
    TEXT,
    title_figure,
    title_of,
    title_panel,
    titles_of,
    use_house_style,
)
from mekrr.study.tables.tidy import read_tables

TITLES = {0.0: "K₀", 1.0: "K₁"}


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    name, params = step.wildcards.dataset, step.params
    table = pd.read_csv(step.input.table)
    energy = 1000 * table["energy"] / table["n_atoms"]
    colourings = {"Energy from the mean (meV/atom)": energy - energy.mean()}
    variables = pd.read_csv(step.input.variables)
    for variable in params.datasets[name].get("collective_variables", [])[:1]:
        colourings[axis_label(variable)] = variables[label(variable)]
    components = read_tables(step.input.components)
    return {"figure": draw(components, colourings, name, params.datasets, params.backbones)}


def draw(
    components: pd.DataFrame,
    colourings: Mapping[str, pd.Series],
    dataset: str,
    datasets: Mapping[str, Mapping],
    backbones: Mapping[str, str],
) -> Figure:
    """One row per backbone; K_0 and K_1, each once in every colouring.

    Parameters
    ----------
    components : backbone, layer, index, alpha, component_1, component_2, share_1, share_2.
    colourings : values of each frame, by their title with its unit.
    dataset, datasets, backbones : name, registry entries, titles in order.
    """
    use_house_style()
    columns = [(alpha, what) for what in colourings for alpha in TITLES]
    size = min(1.25, (PAGE - 1.2) / len(backbones) - 0.6)
    figure, axes = plt.subplots(
        len(backbones),
        len(columns),
        figsize=(TEXT, 0.75 + len(backbones) * (size + 0.6)),
        squeeze=False,
        layout="constrained",
    )
    points = {}
    for row, (backbone, title) in zip(axes, titles_of(backbones).items(), strict=True):
        ours = components[components["backbone"] == backbone]
        for axis, (alpha, what) in zip(row, columns, strict=True):
            part = ours[ours["alpha"] == alpha]
            points[what] = axis.scatter(
                part["component_1"],
                part["component_2"],
                c=colourings[what].loc[part["index"]],
                s=5,
                lw=0,
                alpha=0.8,
                rasterized=True,
            )
            shares = part[["share_1", "share_2"]].iloc[0]
            title_panel(
                axis,
                f"{TITLES[alpha]}, {title},\nlayer {part['layer'].iloc[0]}",
                0.9 * TEXT / len(columns),
                fontsize=7,
            )
            axis.set_xlabel(f"Component 1 ({shares.iloc[0]:.0%})", fontsize=7)
            axis.set_ylabel(f"Component 2 ({shares.iloc[1]:.0%})", fontsize=7)
            axis.xaxis.set_major_locator(MaxNLocator(3))
            axis.yaxis.set_major_locator(MaxNLocator(3))
            axis.set_box_aspect(1)
    for number, (what, mappable) in enumerate(points.items()):
        beneath = axes[:, len(TITLES) * number : len(TITLES) * (number + 1)]
        bar = figure.colorbar(
            mappable, ax=beneath, location="bottom", aspect=40, fraction=0.04, shrink=0.9
        )
        bar.set_label(what)
        bar.outline.set_visible(False)
    title_figure(figure, f"{title_of(datasets, dataset)}, all frames")
    return figure
