"""Errors of predictions: per-atom metrics, and the frames that are worst."""

from __future__ import annotations

import numpy as np
import pandas as pd


def error_per_atom(predictions: pd.DataFrame) -> pd.Series:
    """Signed error of each frame in meV/atom."""
    difference = predictions["energy_pred"] - predictions["energy_ref"]
    return 1000.0 * difference / predictions["n_atoms"]


def rmse(errors: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(errors))))


def mae(errors: np.ndarray) -> float:
    """Mean absolute value."""
    return float(np.mean(np.abs(errors)))


def metrics(predictions: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """RMSE, MAE and largest error (meV/atom) of each group of predictions.

    Parameters
    ----------
    predictions : tidy table with energy_ref and energy_pred (eV) and n_atoms.
    by : columns that make a group.
    """
    table = predictions.assign(error=error_per_atom(predictions))
    return (
        table.groupby(by, sort=False)["error"]
        .agg(
            n_frames="size",
            rmse=lambda e: rmse(e.to_numpy()),
            mae=lambda e: mae(e.to_numpy()),
            largest=lambda e: float(e.abs().max()),
        )
        .reset_index()
    )


def largest_errors(predictions: pd.DataFrame, by: list[str], count: int) -> pd.DataFrame:
    """The ``count`` rows of each group with the largest error (meV/atom), worst first."""
    table = predictions.assign(error=error_per_atom(predictions))
    order = table["error"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].groupby(by, sort=False).head(count).sort_values(by, kind="stable")
