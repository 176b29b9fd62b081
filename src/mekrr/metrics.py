"""Errors of predictions: per-atom metrics with intervals, and the frames that are worst.

Errors of energies are of the total energy per atom, in meV/atom; those of forces, of their
components, in meV/Å. Beside RMSE and MAE stands the
pair that is left after subtracting the mean error of the same frames: between data sets
whose zeros of energy differ, it is the part of the error that decides about energy
differences.

Intervals are bootstrap percentile intervals over test frames at a fixed fit. Neighbouring
frames of a trajectory err alike, so blocks of ⌈√n⌉ consecutive frames are drawn, the end
of the table being joined to its beginning (circular block bootstrap; Politis and Romano,
1992). They hold if errors further apart than that are independent, and say nothing of how
another split or seed would change the fit.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

LEVEL = 0.95  # of the intervals
RESAMPLES = 1000
RESAMPLING_SEED = 0
SUMS = ["components", "absolute", "square"]  # of errors of forces
FORCE_ERRORS = ["force_mae", "force_rmse"]


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
    """Errors (meV/atom) of each group of predictions.

    Parameters
    ----------
    predictions : tidy table with energy_ref and energy_pred (eV) and n_atoms; the frames of
        a group in the order of their file.
    by : columns that make a group.

    Returns
    -------
    DataFrame with ``by`` and n_frames, rmse, mae, largest (absolute), shift (mean error),
    rmse_shifted and mae_shifted (the shift subtracted), and the ends of the intervals of
    `block_bootstrap`: rmse_low, rmse_high, mae_low, mae_high.
    """
    table = predictions.assign(error=error_per_atom(predictions))
    rows = []
    for key, group in table.groupby(by, sort=False)["error"]:
        errors = group.to_numpy()
        rows.append(dict(zip(by, key, strict=True)) | _of_errors(errors))
    return pd.DataFrame(rows)


def _of_errors(errors: np.ndarray) -> dict[str, float]:
    shift = float(np.mean(errors))
    return {
        "n_frames": len(errors),
        "rmse": rmse(errors),
        "mae": mae(errors),
        "largest": float(np.max(np.abs(errors))),
        "shift": shift,
        "rmse_shifted": rmse(errors - shift),
        "mae_shifted": mae(errors - shift),
        **block_bootstrap(errors),
    }


def block_bootstrap(errors: np.ndarray) -> dict[str, float]:
    """Intervals of RMSE and MAE from resampled blocks of consecutive errors.

    Groups of as many frames are resampled alike, so that methods tested on the same frames
    may be compared resample by resample.

    Parameters
    ----------
    errors : (n,) in the order of time.

    Returns
    -------
    rmse_low, rmse_high, mae_low, mae_high : ends of the intervals of level ``LEVEL``.
    """
    counts = _resamples(len(errors))
    values = counts @ np.stack([np.square(errors), np.abs(errors)], axis=1) / len(errors)
    values[:, 0] = np.sqrt(values[:, 0])
    tail = (1.0 - LEVEL) / 2.0
    (rmse_low, mae_low), (rmse_high, mae_high) = np.quantile(values, [tail, 1.0 - tail], axis=0)
    return {
        "rmse_low": float(rmse_low),
        "rmse_high": float(rmse_high),
        "mae_low": float(mae_low),
        "mae_high": float(mae_high),
    }


@lru_cache(maxsize=64)
def _resamples(n_frames: int) -> np.ndarray:
    """(RESAMPLES, n_frames): how often each frame is drawn, n_frames in all in each row."""
    length = int(np.ceil(np.sqrt(n_frames)))
    rng = np.random.default_rng(RESAMPLING_SEED)
    starts = rng.integers(n_frames, size=(RESAMPLES, -(-n_frames // length), 1))
    drawn = (starts + np.arange(length)) % n_frames
    drawn = drawn.reshape(RESAMPLES, -1)[:, :n_frames]
    cells = drawn + n_frames * np.arange(RESAMPLES)[:, None]
    counts = np.bincount(cells.ravel(), minlength=RESAMPLES * n_frames)
    return counts.reshape(RESAMPLES, n_frames).astype(np.float64)


def largest_errors(predictions: pd.DataFrame, by: list[str], count: int) -> pd.DataFrame:
    """The ``count`` rows of each group with the largest error (meV/atom), worst first."""
    table = predictions.assign(error=error_per_atom(predictions))
    order = table["error"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].groupby(by, sort=False).head(count).sort_values(by, kind="stable")


def force_errors(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return errors of forces (meV/Å) of each group of rows of a table of sums.

    Parameters
    ----------
    table : a row for each frame and species: index, species, and ``SUMS``, the number of
        components and the sums of their absolute (eV/Å) and squared errors.

    Returns
    -------
    DataFrame with ``by`` and force_frames, their number; force_mae and force_rmse over all
    components; the same over those of each species, such as force_mae_Cu; and the means of the
    latter over the species, force_mae_species and force_rmse_species.
    """
    sums = table.groupby([*by, "species"], as_index=False)[SUMS].sum()
    errors = _of_sums(sums.groupby(by)[SUMS].sum())
    of_species = sums.assign(**_of_sums(sums)).pivot_table(FORCE_ERRORS, by, "species")
    means = {f"{error}_species": of_species[error].mean(axis=1) for error in FORCE_ERRORS}
    of_species.columns = ["_".join(column) for column in of_species.columns]
    frames = table.groupby(by)["index"].nunique().rename("force_frames")
    return pd.concat([frames, errors, of_species.assign(**means)], axis=1).reset_index()


def _of_sums(sums: pd.DataFrame) -> pd.DataFrame:
    """Return MAE and RMSE in meV/Å from sums."""
    mae = sums["absolute"] / sums["components"]
    rmse = np.sqrt(sums["square"] / sums["components"])
    return 1000.0 * pd.DataFrame({"force_mae": mae, "force_rmse": rmse})
