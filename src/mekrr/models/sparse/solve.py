"""The least-squares problem of a sparse model, solved by QR.

Rows are energies per atom and derivatives along directions, each over its expected error σ. With
K the kernels between inducing atoms, the coefficients a minimise

    |Σ⁻¹ (Φ a - y)|² + λ aᵀ K a,

which is the least-squares problem of the rows stacked on √λ Lᵀ, K = L Lᵀ: f has the prior variance
1/λ eV² at every atom. Normal equations, whose condition is the square, are never formed.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from mekrr.errors import JitterWarning, SolveError
from mekrr.models.lapack import Bidiagonal
from mekrr.models.sparse.factor import Factor, below

JITTERS = (0.0, *np.logspace(-14, -6, 5))  # times the mean diagonal of K


@dataclass(frozen=True)
class Rows:
    """Triangles of what is fitted, or held against a fit.

    Attributes
    ----------
    energies : of frames' energies per atom, eV. directions : of derivatives along unit vectors,
        eV/Å.
    """

    energies: Factor
    directions: Factor

    @classmethod
    def joined(cls, parts: list[Rows]) -> Rows:
        """Return the triangles of the rows of all parts."""
        return cls(
            Factor.joined(part.energies for part in parts),
            Factor.joined(part.directions for part in parts),
        )

    def of(self, target: int, *, forces: bool) -> Rows:
        """Return the same of one of several targets; of energies alone, not for ``forces``."""
        directions = self.directions.of(target) if forces else Factor(self.directions.width)
        return Rows(self.energies.of(target), directions)

    def stacked(self, sigma_energy: float, sigma_force: float) -> np.ndarray:
        """Return the triangle (M + 1, M + 1) of all rows, each over its σ (eV/atom, eV/Å)."""
        # The larger rows on top, as Householder's reflections lose least then.
        energies = self.energies.triangle / sigma_energy
        return below(energies, self.directions.triangle / sigma_force, upper=True)

    def errors(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the root mean square errors (m, 2) of energies (eV/atom) and derivatives (eV/Å).

        NaN of what there is none.

        Parameters
        ----------
        coefficients : (m, n), m times those of the first n inducing atoms.
        """
        pairs = [(f.squares(coefficients), f.n_rows) for f in (self.energies, self.directions)]
        return np.stack([np.sqrt(s / n) if n else np.full(len(s), np.nan) for s, n in pairs], 1)


def prior_root(gram: np.ndarray) -> np.ndarray:
    """Return Lᵀ (M, M), upper, of kernels K = L Lᵀ between inducing atoms.

    If rounding has left K indefinite, a growing shift is added to its diagonal, and a
    JitterWarning states it. Its leading part belongs to the first inducing atoms.

    Raises a SolveError if K is not finite, or no small shift makes it definite.
    """
    if not np.isfinite(gram).all():
        raise SolveError("kernel matrix has entries that are not finite; check the features")
    scale = float(np.trace(gram)) / len(gram)
    for jitter in JITTERS:
        shifted = gram.copy()
        shifted[np.diag_indices_from(shifted)] += jitter * scale
        try:
            root = cholesky(shifted, overwrite_a=True, check_finite=False)
        except LinAlgError:
            continue
        if jitter:
            warnings.warn(
                f"kernels between {len(gram)} inducing atoms are indefinite; added "
                f"{jitter * scale:.1e} to their diagonal",
                JitterWarning,
                stacklevel=2,
            )
        return root
    raise SolveError("kernels between inducing atoms stay indefinite; choose fewer of these")


def penalised(stacked: np.ndarray, root: np.ndarray, regularisation: float) -> np.ndarray:
    """Return the triangle (n + 1, n + 1) of the whole problem, of the first n inducing atoms.

    Parameters
    ----------
    stacked : see `Rows.stacked`. root : (n, n), see `prior_root`. regularisation : λ > 0.
    """
    n = len(root)
    prior = np.zeros((n, n + 1))
    prior[:, :n] = np.sqrt(regularisation) * root
    return below(leading(stacked, n), prior, upper=True)


def leading(stacked: np.ndarray, n: int) -> np.ndarray:
    """Return the triangle (n + 1, n + 1) of the first n columns and the targets."""
    rows = np.zeros((n + 1, n + 1), order="F")
    rows[:n, :n] = stacked[:n, :n]
    rows[:n, n] = stacked[:n, -1]
    rows[n, n] = np.linalg.norm(stacked[n:, -1])
    return rows


def path(stacked: np.ndarray, root: np.ndarray, regularisations: np.ndarray) -> np.ndarray:
    """Return the coefficients a (n_λ, n) for many λ, from one reduction of the matrix.

    With b = Lᵀ a the problem is |S L⁻ᵀ b - z|² + λ |b|².

    Parameters
    ----------
    stacked, root : as for `penalised`.
    """
    n = len(root)
    whitened = solve_triangular(root, stacked[:n, :n].T, trans="T", check_finite=False).T
    b = Bidiagonal(whitened).ridge(stacked[:n, -1], regularisations)
    return solve_triangular(root, b.T, check_finite=False).T


def coefficients_of(triangle: np.ndarray) -> np.ndarray:
    """Return a (n,) from the triangle of `penalised`."""
    return solve_triangular(triangle[:-1, :-1], triangle[:-1, -1], check_finite=False)
