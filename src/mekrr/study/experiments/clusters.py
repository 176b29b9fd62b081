"""Spectral clustering of a stretch by its kernel, and how well clusters match an event.

"Perfectly" is measured: balanced accuracy, the mean of the shares that are right on either
side of the event, under the better of the two ways of naming the clusters (0.5: chance), and
the adjusted Rand index (0: chance, 1: the same division). As a control for the boundary
between two runs, a stretch that joins two is scored as well, against the event and against
the run that a frame is of (`mekrr.study.experiments.stretch.cuts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
from sklearn.cluster import k_means
from sklearn.manifold import spectral_embedding
from sklearn.metrics import adjusted_rand_score, balanced_accuracy_score

from mekrr.kernels.gram import Gram
from mekrr.study.experiments.stretch import kernels_of, part_of

SEEDS = range(10)  # of the clustering, for the spread of the scores
STARTS = 10  # of k-means, of which the best counts
SCORES = ["balanced_accuracy", "adjusted_rand_index"]
COLUMNS = ["layer", "kernel", "cut", "against", "n_frames", "seed", *SCORES]


def two_clusters(kernel: np.ndarray, seeds: Iterable[int]) -> Iterator[np.ndarray]:
    """Yield spectral clusterings into two, by each seed of k-means.

    0 is the cluster that is earlier on average. As scikit-learn's `SpectralClustering`, but that
    the eigenvectors, which no seed changes, are found once.

    Parameters
    ----------
    kernel : (n, n) in time order, taken as the affinity between frames.
    """
    affinity = np.maximum(kernel, 0.0)
    vectors = spectral_embedding(affinity, n_components=2, random_state=0, drop_first=False)
    position = np.arange(len(kernel))
    for seed in seeds:
        _, labels, _ = k_means(vectors, 2, n_init=STARTS, random_state=seed)
        means = [position[labels == cluster].mean() for cluster in (0, 1)]
        yield labels if means[0] < means[1] else 1 - labels


def agreement(clusters: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """``SCORES`` of two clusters (n,) against a division (n,) into two, whatever their names."""
    accuracy = balanced_accuracy_score(truth == truth[0], clusters == clusters[0])
    return {
        "balanced_accuracy": max(accuracy, 1.0 - accuracy),
        "adjusted_rand_index": adjusted_rand_score(truth, clusters),
    }


def clusters(grams: Mapping[int, Gram], seed: int) -> pd.DataFrame:
    """Two clusters under every layer and kernel: position, layer, kernel, cluster."""
    tables = [
        pd.DataFrame({"layer": layer, "kernel": name, "cluster": labels})
        for layer, gram in grams.items()
        for name, values in kernels_of(gram)
        for labels in two_clusters(values, [seed])
    ]
    return pd.concat([t.rename_axis("position").reset_index() for t in tables])


def scores(grams: Mapping[int, Gram], cut: str, truths: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Agreement of clusters with divisions under every layer, kernel and seed.

    Parameters
    ----------
    grams : per layer, kernels among the frames of a cut.
    cut : its name.
    truths : (n,) divisions of these frames into two, by name. One that leaves all on one
        side is no division, and left out.
    """
    truths = {name: truth for name, truth in truths.items() if len(set(truth.tolist())) == 2}
    rows = []
    for layer, gram in grams.items():
        for name, values in kernels_of(gram):
            for seed, found in zip(SEEDS, two_clusters(values, SEEDS), strict=True):
                fit = {"layer": layer, "kernel": name, "cut": cut, "seed": seed}
                rows += [
                    fit | {"against": against, "n_frames": len(truth)} | agreement(found, truth)
                    for against, truth in truths.items()
                ]
    return pd.DataFrame(rows, columns=COLUMNS)


def scores_of_cuts(
    kernels: Mapping[int, Gram],
    frames: np.ndarray,
    found: Mapping[str, np.ndarray],
    truths: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """Return the scores of the clusters of every cut of a stretch; no rows without an event.

    Parameters
    ----------
    kernels : among ``frames``, indices in rising order.
    found : indices of the frames of each cut, see `mekrr.study.experiments.stretch.cuts`.
    truths : divisions (n_frames,) of all frames of the data set.
    """
    tables = []
    for cut, members in found.items():
        grams = part_of(kernels, np.searchsorted(frames, members))
        table = scores(grams, cut, {name: of[members] for name, of in truths.items()})
        tables += [table] if len(table) else []
    return pd.concat(tables) if tables else pd.DataFrame(columns=COLUMNS)
