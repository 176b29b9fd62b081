"""Kernel ridge regression: one solver, and the path over regularisations.

The system is (K + λ T I) c = y with T training frames, as published: λ is multiplied by T.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from sklearn.base import BaseEstimator, RegressorMixin

from mekrr.errors import JitterWarning, SolveError

LARGEST_JITTER = 1e-4  # times the mean diagonal; beyond this the answer is another kernel's
KERNEL_NOT_FINITE = "kernel matrix has entries that are not finite; check the features"
TARGETS_NOT_FINITE = "targets are not finite; check the energies"


def factorise(kernel: np.ndarray, regularisation: float) -> np.ndarray:
    """Lower Cholesky factor L of K + λ T I = L Lᵀ, float64.

    If rounding has left the matrix indefinite, a growing shift is added to the diagonal
    and a JitterWarning states it.

    Parameters
    ----------
    kernel : (T, T). regularisation : λ ≥ 0.

    Raises
    ------
    SolveError
        If an entry is not finite, or no acceptable shift makes the matrix definite.
    """
    kernel = np.asarray(kernel, dtype=np.float64)
    _require_finite(kernel, KERNEL_NOT_FINITE)
    scale = float(np.trace(kernel)) / len(kernel)
    for jitter in (0.0, *(scale * np.logspace(-14, np.log10(LARGEST_JITTER), 6))):
        shifted = kernel.copy()
        shifted[np.diag_indices_from(shifted)] += regularisation * len(kernel) + jitter
        try:
            factor = cholesky(shifted, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            continue
        if jitter:
            warnings.warn(
                f"kernel matrix is indefinite at λ = {regularisation:.1e}; "
                f"added {jitter:.1e} to its diagonal",
                JitterWarning,
                stacklevel=3,
            )
        return factor
    raise SolveError(
        f"kernel matrix stays indefinite at λ = {regularisation:.1e} with {jitter:.1e} added to "
        "its diagonal; choose a larger λ"
    )


class KernelRidge(RegressorMixin, BaseEstimator):
    """Kernel ridge regression on a precomputed kernel, target standardised.

    Parameters
    ----------
    regularisation : λ of (K + λ T I) c = (y - mean y) / std y.

    Attributes
    ----------
    mean_, scale_ : mean y and std y.
    factor_ : (T, T), see `factorise`.
    coefficients_ : (T,), c.
    variance_ : s² = ỹᵀ (K + λ T I)⁻¹ ỹ / T, ỹ the standardised target. The corresponding
        Gaussian process has prior covariance s² K and noise variance s² λ T; this s²
        maximises its likelihood (Rasmussen and Williams, eq. 2.30, solved for the scale).
    """

    def __init__(self, regularisation: float = 1e-7):
        self.regularisation = regularisation

    def fit(self, kernel: np.ndarray, target: np.ndarray) -> KernelRidge:
        """Fit on the (T, T) kernel between training frames and their (T,) targets.

        Raises the errors of `factorise`, and a SolveError if a target is not finite.
        """
        _require_finite(target, TARGETS_NOT_FINITE)
        self.factor_ = factorise(kernel, self.regularisation)
        self.mean_, self.scale_ = standardisation(target)
        standard = (target - self.mean_) / self.scale_
        self.coefficients_ = cho_solve((self.factor_, True), standard, check_finite=False)
        self.variance_ = float(standard @ self.coefficients_) / len(standard)
        return self

    def predict(self, kernel: np.ndarray) -> np.ndarray:
        """Targets of new frames from their (n, T) kernel with the training frames."""
        return self.mean_ + self.scale_ * (kernel @ self.coefficients_)

    def std(self, kernel: np.ndarray, self_kernel: np.ndarray) -> np.ndarray:
        """Predictive standard deviation (n,) of the corresponding Gaussian process.

        With k the kernel of a new frame x with the training frames,

            s² (k(x, x) - kᵀ (K + λ T I)⁻¹ k + λ T)

        is the variance of a new observation: of the function, plus the noise (Rasmussen and
        Williams, eq. 2.26), in units of scale_². Costs O(T²) a frame.

        Parameters
        ----------
        kernel : (n, T). self_kernel : (n,), k(x, x) of each new frame.
        """
        half = solve_triangular(self.factor_, kernel.T, lower=True, check_finite=False)
        function = self_kernel - np.einsum("tn,tn->n", half, half)
        noise = self.regularisation * len(self.coefficients_)
        # Rounding in the kernel may leave the function's variance a little below zero.
        return self.scale_ * np.sqrt(self.variance_ * (np.maximum(function, 0.0) + noise))


class RidgePath:
    """Predictions and leave-one-out predictions for many λ from K = V diag(s) Vᵀ.

    Parameters
    ----------
    kernel : (T, T) between training frames. target : (T,).

    Raises
    ------
    SolveError
        If an entry or a target is not finite.
    """

    def __init__(self, kernel: np.ndarray, target: np.ndarray):
        _require_finite(kernel, KERNEL_NOT_FINITE)
        _require_finite(target, TARGETS_NOT_FINITE)
        self.mean_, self.scale_ = standardisation(target)
        self._target = target
        # numpy's: scipy's would make other threads wait for it.
        self._values, self._vectors = np.linalg.eigh(kernel)
        self._projected = self._vectors.T @ ((target - self.mean_) / self.scale_)

    def predict(self, kernel: np.ndarray, regularisations: np.ndarray) -> np.ndarray:
        """(n_λ, n) predictions from the (n, T) kernel with the training frames.

        NaN for a λ at which rounding leaves the matrix indefinite.
        """
        weights = self._projected / self._shifted(regularisations)
        return self.mean_ + self.scale_ * (weights @ (kernel @ self._vectors).T)

    def leave_one_out(self, regularisations: np.ndarray) -> np.ndarray:
        """(n_λ, T) prediction of each training frame by the fit to all others, in O(T² n_λ).

        Closed form (Rasmussen and Williams, eq. 5.12): with A = K + λ T I and c = A⁻¹ ỹ, the
        residual of frame i is c_i / (A⁻¹)_ii. The others are fitted with the same λ T, T
        counting all frames, to the target standardised with the mean and scale of all: these
        constants are not fitted anew for each frame.

        NaN for a λ at which rounding leaves the matrix indefinite.
        """
        inverse = 1.0 / self._shifted(regularisations)
        coefficients = (self._projected * inverse) @ self._vectors.T
        diagonal = inverse @ np.square(self._vectors).T
        return self._target - self.scale_ * coefficients / diagonal

    def _shifted(self, regularisations: np.ndarray) -> np.ndarray:
        """(n_λ, T) eigenvalues of K + λ T I, a row NaN if one is not positive."""
        shifted = self._values + np.asarray(regularisations)[:, None] * len(self._values)
        shifted[shifted.min(axis=1) <= 0] = np.nan
        return shifted


def _require_finite(values: np.ndarray, fault: str) -> None:
    if not np.isfinite(values).all():
        raise SolveError(fault)


def standardisation(target: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the target, the latter 1 for a constant target."""
    mean, scale = float(np.mean(target)), float(np.std(target))
    return mean, scale if scale > 1e-12 * max(1.0, abs(mean)) else 1.0
