"""Kernels between two atoms' features, and the median lengthscale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EXACT_MEDIAN_ATOMS = 6000
BLOCK = 256  # atoms whose distances to all others are held at once


@dataclass(frozen=True)
class Gaussian:
    """k(h, h') = exp(-|h - h'|² / (2 σ²)), σ = ``lengthscale`` > 0."""

    lengthscale: float

    def apply(self, exponent: np.ndarray) -> None:
        """Turn -|h - h'|²/2σ² into kernel values, in place."""
        np.exp(exponent, out=exponent)


@dataclass(frozen=True)
class Matern:
    """Matérn kernel of r = |h - h'|/σ (Rasmussen and Williams, eq. 4.17).

    ``order`` 3: (1 + √3 r) exp(-√3 r); 5: (1 + √5 r + 5 r²/3) exp(-√5 r).
    """

    lengthscale: float
    order: int = 5

    def apply(self, exponent: np.ndarray) -> None:
        """Turn -|h - h'|²/2σ² into kernel values, in place."""
        np.minimum(exponent, 0.0, out=exponent)  # rounding may leave it above
        exponent *= -2.0 * self.order
        np.sqrt(exponent, out=exponent)
        polynomial = 1.0 + exponent
        if self.order == 5:
            polynomial += exponent**2 / 3.0
        np.negative(exponent, out=exponent)
        np.exp(exponent, out=exponent)
        exponent *= polynomial


@dataclass(frozen=True)
class Linear:
    """k(h, h') = h · h'."""


def median_lengthscale(features: np.ndarray, seed: int = 0) -> float:
    """Median pairwise distance between atoms, the paper's choice of σ.

    The published definition: lower median over the full distance matrix, its zero
    diagonal included. Exact up to 6,000 atoms; beyond that taken over that many atoms
    drawn at random with ``seed``, which moves σ by a few parts in a thousand.

    Parameters
    ----------
    features : (n_atoms, d) features of the training atoms.
    """
    h = np.asarray(features, dtype=np.float64)
    if len(h) > EXACT_MEDIAN_ATOMS:
        drawn = np.random.default_rng(seed).choice(len(h), EXACT_MEDIAN_ATOMS, replace=False)
        h = h[np.sort(drawn)]
    h = h - h.mean(axis=0)
    n = len(h)
    norms = np.einsum("ij,ij->i", h, h)
    upper = np.empty(n * (n - 1) // 2)  # squared distances of all pairs
    filled = 0
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        squared = norms[start:stop, None] + norms[start:] - 2.0 * (h[start:stop] @ h[start:].T)
        pairs = squared[np.triu_indices(stop - start, k=1, m=n - start)]
        upper[filled : filled + len(pairs)] = pairs
        filled += len(pairs)
    # The full matrix holds n zeros and every distance twice; its lower median is the
    # element of rank (n² - 1) // 2 when sorted.
    rank = (n * n - 1) // 2 - n
    if rank < 0:
        return 0.0
    return float(np.sqrt(max(np.partition(upper, rank // 2)[rank // 2], 0.0)))
