"""What the dynamics behind a surrogate data set looks like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from mekrr.data.variables import axis_label
from mekrr.study.job import Step
from mekrr.study.plots.style import PALETTE, TEXT, title_figure, title_of, use_house_style


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    name, datasets = step.wildcards.dataset, step.params.datasets
    figure = draw(
        pd.read_csv(step.input.facts),
        datasets[name]["collective_variables"][0],
        [run["temperature"] for run in step.params.recipe["runs"]],
        title_of(datasets, name),
    )
    return {"figure": figure}


def draw(facts: pd.DataFrame, bond: Mapping, targets: Iterable[float], title: str) -> Figure:
    """Bond, temperature, energy and excursions of every run against time.

    Parameters
    ----------
    facts : of `mekrr.study.surrogates.physics.observe`.
    bond : the variable that tells whether it reacted.
    targets : temperatures (K) set.
    """
    use_house_style()
    figure, axes = plt.subplots(2, 3, figsize=(TEXT, 3.9), layout="constrained")
    length, histogram, temperature, energy, adsorbate, metal = axes.flat
    for run, part in facts.groupby("run"):
        colour, time = PALETTE[run % len(PALETTE)], part["time_fs"] / 1000
        length.plot(time, part["bond"], color=colour, lw=0.9, label=str(run))
        energy.plot(time, part["energy"], color=colour, lw=0.7)
        temperature.plot(time, part["temperature_K"], color=colour, lw=0.7)
        adsorbate.plot(time, part["adsorbate"], color=colour, lw=0.7)
        metal.plot(time, part["metal"], color=colour, lw=0.7)
        metal.plot(time, part["fixed"], color="black", lw=1.2)
    for target in sorted(set(targets)):
        temperature.axhline(target, color="black", ls="--", lw=0.8)
    histogram.hist(facts["bond"], bins=40, color=PALETTE[7])
    histogram.set(yscale="log", xlabel=axis_label(bond), ylabel="Frames")
    length.set_ylabel(axis_label(bond))
    temperature.set_ylabel("Temperature (K)")
    energy.set_ylabel("Energy from the mean\n(meV/atom)")
    adsorbate.set_ylabel("Adsorbate to metal (Å)")
    metal.set_ylabel("Largest displacement\nof a metal atom (Å)")
    metal.set_ylim(bottom=-0.1)
    metal.annotate("fixed layers", (0.5, 0.0), (0, 3), ("axes fraction", "data"), "offset points")
    for axis in (length, temperature, energy, adsorbate, metal):
        axis.set_xlabel("Time (ps)")
    title_figure(figure, title, fontsize=9)
    figure.legend(title="run", title_fontsize=8, loc="outside right center")
    return figure
