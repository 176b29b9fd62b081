"""Test errors along the reaction coordinate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mekrr.metrics import error_per_atom
from mekrr.study.tables.tidy import FIT

BINS = 10


def errors_along(predictions: pd.DataFrame, variable: np.ndarray) -> pd.DataFrame:
    """Mean absolute error (meV/atom) in equal steps of a collective variable.

    Parameters
    ----------
    predictions : test predictions of one data set, eV; index is the frame's.
    variable : (n_frames,) of all frames, whose range the steps divide.

    Returns
    -------
    DataFrame with dataset, strategy, seed, method, backbone, variable (middle of the step),
    n_frames, mae. Steps without a test frame are left out.
    """
    edges = np.linspace(variable.min(), variable.max(), BINS + 1)
    step = np.searchsorted(edges[1:-1], variable[predictions["index"]], side="right")
    middles = (edges[1:] + edges[:-1]) / 2
    table = predictions.assign(error=error_per_atom(predictions).abs(), variable=middles[step])
    grouped = table.groupby([*FIT, "variable"], sort=False)["error"]
    return grouped.agg(n_frames="size", mae="mean").reset_index()
