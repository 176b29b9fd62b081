"""A stretch of one trajectory in time order: what is compared in a kernel heatmap."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.cluster import SpectralClustering

from mekrr.errors import DataError

DEFAULT_COUNT = 120  # frames; the paper shows 112


def choose_stretch(
    frames: pd.DataFrame,
    dataset: str,
    run: int | None = None,
    first: int = 0,
    count: int = DEFAULT_COUNT,
) -> np.ndarray:
    """Indices of ``count`` consecutive frames of a run, the longest run by default.

    Raises a DataError if the run does not exist or has no frame after ``first``.
    """
    run = frames["run"].mode()[0] if run is None else run
    members = frames.index[frames["run"] == run].to_numpy()[first : first + count]
    if len(members) < 2:
        known = ", ".join(map(str, sorted(set(frames["run"]))))
        raise DataError(
            f"{dataset}: stretch: run {run} has fewer than 2 frames from frame {first} on; "
            f"correct `stretch` in the registry of data sets (runs: {known})"
        )
    return members


def two_clusters(kernel: np.ndarray, seed: int) -> np.ndarray:
    """Spectral clustering into two, numbered by first appearance.

    Parameters
    ----------
    kernel : (n, n) kernel, taken as the affinity between frames.
    """
    model = SpectralClustering(2, affinity="precomputed", random_state=seed)
    labels = model.fit_predict(np.maximum(kernel, 0.0))
    return labels if labels[0] == 0 else 1 - labels
