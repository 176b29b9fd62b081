"""The kernels of a stretch as panels of a figure, with the scores of their clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mekrr.kernels.gram import Gram
from mekrr.study.experiments.stretch import kernels_of

MIXTURES = {"K0": "K₀ (α = 0)", "K1": "K₁ (α = 1)"}


@dataclass(frozen=True)
class Panel:
    """One kernel between the frames of a stretch.

    Attributes
    ----------
    title : what it is.
    kernel : (n, n) in time order.
    clusters : (n,) 0 or 1.
    scores : balanced accuracy and adjusted Rand index of these, None without an event.
    """

    title: str
    kernel: np.ndarray
    clusters: np.ndarray
    scores: tuple[float, float] | None


def of_layer(
    grams: Mapping[int, Gram],
    clusters: pd.DataFrame,
    scores: pd.DataFrame,
    layer: int,
    titles: Mapping[str, str],
) -> list[Panel]:
    """A panel for each of some kernels of one layer.

    Parameters
    ----------
    grams : per layer, kernels among the frames of the stretch.
    clusters : layer, kernel, position and cluster.
    scores : of the clusters, seed by seed. Shown is their mean within one run.
    titles : of the kernels shown, by name.
    """
    clusters = clusters[clusters["layer"] == layer]
    event = scores[
        (scores["layer"] == layer) & (scores["cut"] == "one run") & (scores["against"] == "event")
    ]
    means = event.groupby("kernel")[["balanced_accuracy", "adjusted_rand_index"]].mean()
    return [
        Panel(
            titles[name],
            values,
            clusters[clusters["kernel"] == name].sort_values("position")["cluster"].to_numpy(),
            tuple(means.loc[name]) if name in means.index else None,
        )
        for name, values in kernels_of(grams[layer])
        if name in titles
    ]


def by_layer(
    grams: Mapping[int, Gram], clusters: pd.DataFrame, scores: pd.DataFrame
) -> list[tuple[Panel, ...]]:
    """K_0 of all layers in the first row, K_1 in the second."""
    columns = []
    for layer in grams:
        titles = {"K0": f"layer {layer}, α = 0", "K1": f"layer {layer}, α = 1"}
        columns.append(of_layer(grams, clusters, scores, layer, titles))
    return list(zip(*columns, strict=True))


def shares(grams: Mapping[int, Gram]) -> dict[str, str]:
    """Titles of K_1 and of every species' share of it."""
    names = [name for name, _ in kernels_of(next(iter(grams.values()))) if name not in MIXTURES]
    return {"K1": "K₁"} | {name: f"share of {name}" for name in names}
