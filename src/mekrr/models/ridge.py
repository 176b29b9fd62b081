"""Kernel ridge regression: one solver, and the path over regularisations.

The system is (K + λ T I) c = y with T training frames, as published: λ is multiplied by T.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from copy import copy

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dptsv, dpttrf

from mekrr.errors import JitterWarning, SolveError
from mekrr.models.lapack import Tridiagonal

LARGEST_JITTER = 1e-4  # times the mean diagonal; beyond this the answer is another kernel's
KERNEL_NOT_FINITE = "kernel matrix has entries that are not finite; check the features"
TARGETS_NOT_FINITE = "targets are not finite; check the energies"
BLOCK = 8  # columns that stay in the cache


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


class KernelRidge:
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
        maximises its likelihood (Rasmussen and Williams, eq. 2.30, solved for the scale). 0 for
        a constant target, which has no scale.
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
        if is_constant(target):
            self.variance_ = 0.0
        return self

    def record(self) -> dict[str, float]:
        """Return the numbers of a fit, for a model file; `tensors` has the arrays."""
        return {name: getattr(self, name) for name in ("mean_", "scale_", "variance_")}

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the arrays of a fit by name, for a model file."""
        return {"coefficients": self.coefficients_, "factor": self.factor_}

    @classmethod
    def recalled(
        cls, regularisation: float, record: Mapping[str, float], tensors: Mapping[str, np.ndarray]
    ) -> KernelRidge:
        """Return the fit that `record` and `tensors` are of."""
        ridge = cls(regularisation)
        vars(ridge).update(record)
        ridge.coefficients_, ridge.factor_ = tensors["coefficients"], tensors["factor"]
        return ridge

    def predict(self, kernel: np.ndarray) -> np.ndarray:
        """Targets of new frames from their (n, T) kernel with the training frames."""
        return self.mean_ + self.scale_ * (kernel @ self.coefficients_)

    def std(self, kernel: np.ndarray, self_kernel: np.ndarray) -> np.ndarray:
        """Predictive standard deviation (n,) of the corresponding Gaussian process.

        With k the kernel of a new frame x with the training frames,

            s² (k(x, x) - kᵀ (K + λ T I)⁻¹ k + λ T)

        is the variance of a new observation: of the function, plus the noise (Rasmussen and
        Williams, eq. 2.26), in units of scale_². Costs O(T²) a frame. Infinite after a fit to a
        constant target, one frame's for example: nothing says how far others may be from it.

        Parameters
        ----------
        kernel : (n, T). self_kernel : (n,), k(x, x) of each new frame.
        """
        if self.variance_ == 0.0:
            return np.full(len(kernel), np.inf)
        half = solve_triangular(self.factor_, kernel.T, lower=True, check_finite=False)
        function = self_kernel - np.einsum("tn,tn->n", half, half)
        noise = self.regularisation * len(self.coefficients_)
        # Rounding in the kernel may leave the function's variance a little below zero.
        return self.scale_ * np.sqrt(self.variance_ * (np.maximum(function, 0.0) + noise))

    def leave_one_out_std(self) -> np.ndarray:
        """Return the predictive standard deviation (T,) of each training target from the others.

        It is s/√((K + λ T I)⁻¹)_tt, in units of scale_ (Rasmussen and Williams, eq. 5.12), as
        `std` has it for new frames. Costs as much as the fit.
        """
        if self.variance_ == 0.0:
            return np.full(len(self.coefficients_), np.inf)
        half = solve_triangular(
            self.factor_, np.eye(len(self.factor_)), lower=True, check_finite=False
        )
        return self.scale_ * np.sqrt(self.variance_ / np.einsum("tn,tn->n", half, half))


class RidgePath:
    """Predictions and leave-one-out predictions for many λ from one reduction of the kernel.

    K = Q B Qᵀ with B tridiagonal: then each λ takes O(T) to solve (K + λ T I) c = ỹ, and O(T²)
    to turn c back. The reduction costs a third of an eigendecomposition.

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
        self._reduced = Tridiagonal(kernel)
        self._set_target(target)

    def with_target(self, target: np.ndarray) -> RidgePath:
        """The path of the same kernel and another target (T,), at no cost."""
        other = copy(self)
        other._set_target(target)
        return other

    def predict(self, kernel: np.ndarray, regularisations: np.ndarray) -> np.ndarray:
        """(n_λ, n) predictions from the (n, T) kernel with the training frames.

        NaN for a λ at which rounding leaves the matrix indefinite.
        """
        return self.mean_ + self.scale_ * (self._coefficients(regularisations) @ kernel.T)

    def leave_one_out(self, regularisations: np.ndarray) -> np.ndarray:
        """(n_λ, T) prediction of each training frame by the fit to all others.

        Closed form (Rasmussen and Williams, eq. 5.12): with A = K + λ T I and c = A⁻¹ ỹ, the
        residual of frame i is c_i / (A⁻¹)_ii. The others are fitted with the same λ T, T
        counting all frames, to the target standardised with the mean and scale of all: these
        constants are not fitted anew for each frame. Costs as much as the reduction again.

        NaN for a λ at which rounding leaves the matrix indefinite.
        """
        residual = self._coefficients(regularisations) / self._inverse_diagonal(regularisations)
        return self._target - self.scale_ * residual

    def _set_target(self, target: np.ndarray) -> None:
        _require_finite(target, TARGETS_NOT_FINITE)
        self.mean_, self.scale_ = standardisation(target)
        self._target = target
        standard = (target - self.mean_) / self.scale_
        self._rotated = self._reduced.rotate(standard[None], back=True)[0]

    def _coefficients(self, regularisations: np.ndarray) -> np.ndarray:
        """(n_λ, T) c of each λ, a row NaN if the matrix is indefinite."""
        rows = np.zeros((len(regularisations), len(self._rotated)))
        definite = np.zeros(len(rows), dtype=bool)
        for k, diagonal in enumerate(self._shifted(regularisations)):
            *_, rows[k], fault = dptsv(diagonal, self._reduced.beside, self._rotated)
            definite[k] = fault == 0
        return np.where(definite[:, None], self._reduced.rotate(rows), np.nan)

    def _inverse_diagonal(self, regularisations: np.ndarray) -> np.ndarray:
        """(n_λ, T) diagonal of (K + λ T I)⁻¹, a row NaN if the matrix is indefinite.

        With B + λ T I = L D Lᵀ, L unit lower bidiagonal, and W = Q L⁻ᵀ, whose columns follow
        from each other, it is the row sums of W² D⁻¹.
        """
        n_lambda, n = len(regularisations), len(self._rotated)
        inverse, factor = np.full((n, n_lambda, 1), np.nan), np.zeros((n, n_lambda, 1))
        for k, diagonal in enumerate(self._shifted(regularisations)):
            pivots, beside, fault = dpttrf(diagonal, self._reduced.beside)
            if fault == 0:
                inverse[:, k, 0], factor[1:, k, 0] = 1.0 / pivots, beside
        total = np.zeros((n_lambda, n))
        block = np.zeros((BLOCK + 1, n_lambda, n))  # some columns of W, each for all λ
        columns = self._reduced.columns()
        for start in range(0, n, BLOCK):
            block[0] = block[-1]
            stop = min(start + BLOCK, n)
            for k in range(start, stop):
                following = block[k - start + 1]
                np.multiply(factor[k], block[k - start], out=following)
                np.subtract(columns[k], following, out=following)
            w = block[1 : stop - start + 1]
            total += np.einsum("kli,kli,kl->li", w, w, inverse[start:stop, :, 0])
        return total

    def _shifted(self, regularisations: np.ndarray) -> np.ndarray:
        """(n_λ, T) diagonal of B + λ T I."""
        diagonal = self._reduced.diagonal
        return diagonal + np.asarray(regularisations)[:, None] * len(diagonal)


def _require_finite(values: np.ndarray, fault: str) -> None:
    if not np.isfinite(values).all():
        raise SolveError(fault)


def standardisation(target: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the target, the latter 1 for a constant target."""
    scale = 1.0 if is_constant(target) else float(np.std(target))
    return float(np.mean(target)), scale


def is_constant(target: np.ndarray) -> bool:
    """Whether targets are the same but for rounding."""
    return float(np.std(target)) <= 1e-12 * max(1.0, abs(float(np.mean(target))))
