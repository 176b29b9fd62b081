"""Kernel ridge regression: one solver, and the path over regularisations.

The system is (K + λ T I) c = y with T training frames, as published: λ is multiplied by T.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh
from sklearn.base import BaseEstimator, RegressorMixin

from mekrr.errors import JitterWarning, SolveError

LARGEST_JITTER = 1e-4  # times the mean diagonal; beyond this the answer is another kernel's


def solve(kernel: np.ndarray, target: np.ndarray, regularisation: float) -> np.ndarray:
    """Coefficients c of (K + λ T I) c = y, in float64 by Cholesky.

    If rounding has left the matrix indefinite, a growing shift is added to the diagonal
    and a JitterWarning states it.

    Parameters
    ----------
    kernel : (T, T). target : (T,) or (T, m). regularisation : λ ≥ 0.

    Raises
    ------
    SolveError
        If an entry is not finite, or no acceptable shift makes the matrix definite.
    """
    kernel = np.asarray(kernel, dtype=np.float64)
    if not np.isfinite(kernel).all():
        raise SolveError("kernel matrix has entries that are not finite; check the features")
    if not np.isfinite(target).all():
        raise SolveError("targets are not finite; check the energies")
    scale = float(np.trace(kernel)) / len(kernel)
    for jitter in (0.0, *(scale * np.logspace(-14, np.log10(LARGEST_JITTER), 6))):
        shifted = kernel.copy()
        shifted[np.diag_indices_from(shifted)] += regularisation * len(kernel) + jitter
        try:
            factor = cho_factor(shifted, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            continue
        if jitter:
            warnings.warn(
                f"kernel matrix is indefinite at λ = {regularisation:.1e}; "
                f"added {jitter:.1e} to its diagonal",
                JitterWarning,
                stacklevel=2,
            )
        return cho_solve(factor, target, check_finite=False)
    raise SolveError(
        f"kernel matrix stays indefinite at λ = {regularisation:.1e} with {jitter:.1e} added to "
        "its diagonal; choose a larger λ"
    )


class KernelRidge(RegressorMixin, BaseEstimator):
    """Kernel ridge regression on a precomputed kernel, target standardised.

    Parameters
    ----------
    regularisation : λ of (K + λ T I) c = (y - mean y) / std y.
    """

    def __init__(self, regularisation: float = 1e-7):
        self.regularisation = regularisation

    def fit(self, kernel: np.ndarray, target: np.ndarray) -> KernelRidge:
        """Fit on the (T, T) kernel between training frames and their (T,) targets."""
        self.mean_, self.scale_ = standardisation(target)
        self.coefficients_ = solve(kernel, (target - self.mean_) / self.scale_, self.regularisation)
        return self

    def predict(self, kernel: np.ndarray) -> np.ndarray:
        """Targets of new frames from their (n, T) kernel with the training frames."""
        return self.mean_ + self.scale_ * (kernel @ self.coefficients_)


class RidgePath:
    """Predictions for many λ from one eigendecomposition of the training kernel."""

    def __init__(self, kernel: np.ndarray, target: np.ndarray):
        self.mean_, self.scale_ = standardisation(target)
        self._values, self._vectors = eigh(kernel)
        self._projected = self._vectors.T @ ((target - self.mean_) / self.scale_)

    def predict(self, kernel: np.ndarray, regularisations: np.ndarray) -> np.ndarray:
        """(n_λ, n) predictions from the (n, T) kernel with the training frames.

        NaN for a λ at which rounding leaves the matrix indefinite.
        """
        shifted = self._values + np.asarray(regularisations)[:, None] * len(self._values)
        definite = shifted.min(axis=1) > 0
        weights = np.where(
            definite[:, None], self._projected / np.where(shifted > 0, shifted, 1), np.nan
        )
        return self.mean_ + self.scale_ * (weights @ (kernel @ self._vectors).T)


def standardisation(target: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the target, the latter 1 for a constant target."""
    mean, scale = float(np.mean(target)), float(np.std(target))
    return mean, scale if scale > 1e-12 * max(1.0, abs(mean)) else 1.0
