"""Choosing α and λ on the validation frames; the test frames play no part."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from mekrr.errors import SolveError
from mekrr.evaluation import mae, rmse
from mekrr.kernels.gram import combine
from mekrr.progress import progress_bar
from mekrr.ridge import RidgePath


@dataclass(frozen=True)
class Choice:
    """Hyper-parameters with the least validation RMSE (meV/atom)."""

    alpha: float
    regularisation: float
    validation_rmse: float


def alpha_grid(smallest: float, count: int) -> np.ndarray:
    """0 and ``count - 1`` geometric steps from ``smallest`` to 1."""
    return np.concatenate([[0.0], np.geomspace(smallest, 1.0, count - 1)])


def regularisation_grid(smallest: float, largest: float, count: int) -> np.ndarray:
    """``count`` geometric steps."""
    return np.geomspace(smallest, largest, count)


def sweep(
    k0: np.ndarray,
    k1: np.ndarray,
    energy: np.ndarray,
    n_atoms: np.ndarray,
    train: np.ndarray,
    val: np.ndarray,
    alphas: np.ndarray,
    regularisations: np.ndarray,
) -> pd.DataFrame:
    """Validation errors over the α × λ grid.

    Parameters
    ----------
    k0, k1 : (n_frames, n_train) kernels of all frames with the training frames, whose
        columns are in the order of ``train``.
    energy : (n_frames,) eV, references subtracted. n_atoms : (n_frames,).
    train, val : indices of frames.

    Returns
    -------
    DataFrame with alpha, regularisation, rmse and mae (meV/atom), the errors NaN where
    the kernel matrix is numerically indefinite at that λ.
    """
    parts = []
    for alpha in alphas:
        path = RidgePath(combine(k0[train], k1[train], alpha), energy[train])
        predicted = path.predict(combine(k0[val], k1[val], alpha), regularisations)
        errors = 1000.0 * (predicted - energy[val]) / n_atoms[val]
        parts.append(_of_alpha(alpha, regularisations, errors))
    return pd.concat(parts, ignore_index=True)


def leave_one_out_sweep(
    k0: np.ndarray,
    k1: np.ndarray,
    target: np.ndarray,
    n_atoms: np.ndarray,
    alphas: np.ndarray,
    regularisations: np.ndarray,
    threads: int,
) -> pd.DataFrame:
    """Leave-one-out errors over the α × λ grid: as `sweep`, without validation frames.

    Parameters
    ----------
    k0, k1 : (T, T). target : (T,) eV. n_atoms : (T,).
    threads : values of α worked on at once, each by one thread.
    """

    def table(alpha: float) -> pd.DataFrame:
        path = RidgePath(combine(k0, k1, alpha), target)
        errors = 1000.0 * (path.leave_one_out(regularisations) - target) / n_atoms
        return _of_alpha(alpha, regularisations, errors)

    with (
        threadpool_limits(1, "blas"),
        ThreadPoolExecutor(threads) as pool,
        progress_bar(len(alphas), "leave-one-out", "α") as bar,
    ):
        parts = []
        for part in pool.map(table, alphas):
            parts.append(part)
            bar.update()
    return pd.concat(parts, ignore_index=True)


def _of_alpha(alpha: float, regularisations: np.ndarray, errors: np.ndarray) -> pd.DataFrame:
    """Rows of a sweep at one α from errors (n_λ, n) in meV/atom."""
    return pd.DataFrame(
        {
            "alpha": alpha,
            "regularisation": regularisations,
            "rmse": [rmse(e) for e in errors],
            "mae": [mae(e) for e in errors],
        }
    )


def choose(table: pd.DataFrame) -> Choice:
    """The row of a sweep with the least validation RMSE."""
    if table["rmse"].isna().all():
        raise SolveError("no λ of the grid makes the kernel matrix definite; extend it upwards")
    best = table.loc[table["rmse"].idxmin()]
    return Choice(float(best["alpha"]), float(best["regularisation"]), float(best["rmse"]))
