"""Coordinates in which a sparse model compares atoms, each species in its own.

With o the mean and C the covariance of the features h of a species' training atoms,

    g = (h - o) M / s,    M = 1, diag(C)^(-1/2) or C^(-1/4)

for the metrics "plain", "scaled" and "whitened" by half; s makes the mean square distance between
two of these atoms 1. A lengthscale of the kernel is therefore in units of a species' own spread. Of
layers side by side each has its own such coordinates, and the mean of their squares is what counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

# Atoms of the mean covariance of all species that come to those of each: they give directions in
# which a species has not moved a length, so that an atom that moves there is seen to be far away.
BORROWED = 1.0
LEAST = 1e-6  # of the mean variance, below which a direction is as good as rigid


@dataclass(frozen=True)
class Scale:
    """Coordinates g = (h - origin) @ along of one species.

    Attributes
    ----------
    origin : (d,) float64. along : (d, d) float64.
    """

    origin: np.ndarray
    along: np.ndarray

    def apply(self, features: np.ndarray, dtype: Any) -> np.ndarray:
        """Return coordinates (n, d) of features (n, d)."""
        shifted = np.subtract(features, self.origin, dtype=np.result_type(dtype, np.float32))
        return shifted @ self._matrix(dtype)

    def turn(self, derivatives: np.ndarray, dtype: Any) -> np.ndarray:
        """Return derivatives (…, d) of coordinates from those of features."""
        rows = derivatives.reshape(-1, derivatives.shape[-1]).astype(dtype, copy=False)
        return (rows @ self._matrix(dtype)).reshape(derivatives.shape)

    def back(self, gradient: np.ndarray) -> np.ndarray:
        """Return gradients (n, d) by features from those by coordinates."""
        return gradient @ self._matrix(gradient.dtype).T

    def _matrix(self, dtype: Any) -> np.ndarray:
        return self._single if dtype == np.float32 else self.along

    @cached_property
    def _single(self) -> np.ndarray:
        """Cast once, not for every frame."""
        return self.along.astype(np.float32)


def scales_of(
    features: np.ndarray, species: np.ndarray, widths: tuple[int, ...], metric: str
) -> tuple[dict[int, Scale], Scale]:
    """Return coordinates by species (atomic number), and those that all species share.

    These have the origin and the covariance, within species, of all atoms.

    Parameters
    ----------
    features : (n, d) of training atoms, layers side by side. species : (n,) atomic numbers.
    widths : of the layers; their sum is d.
    """
    known = np.unique(species).tolist()
    moments = {s: _moments(features[species == s]) for s in known}
    counts = np.array([np.count_nonzero(species == s) for s in known], dtype=np.float64)
    shares = counts / counts.sum()
    origin = sum(share * moments[s][0] for share, s in zip(shares, known, strict=True))
    within = sum(share * moments[s][1] for share, s in zip(shares, known, strict=True))
    spread = _covariance_of_origins(moments, known, shares, origin)
    # Where no species varies, as in frames all alike, what tells species apart is all there is.
    fallback = within if np.trace(within) > 0.0 else spread
    own = {}
    for s, n in zip(known, counts, strict=True):
        mean, covariance = moments[s]
        borrowed = (n * covariance + BORROWED * fallback) / (n + BORROWED)
        own[s] = Scale(mean, _along(borrowed, borrowed, widths, metric))
    return own, Scale(origin, _along(within, within + spread, widths, metric))


def _moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = rows.astype(np.float64)
    mean = rows.mean(axis=0)
    shifted = rows - mean
    return mean, shifted.T @ shifted / len(rows)


def _covariance_of_origins(
    moments: Mapping[int, tuple[np.ndarray, np.ndarray]],
    known: list[int],
    shares: np.ndarray,
    origin: np.ndarray,
) -> np.ndarray:
    off = np.array([moments[s][0] - origin for s in known])
    return (off * shares[:, None]).T @ off


def _along(
    covariance: np.ndarray, whole: np.ndarray, widths: tuple[int, ...], metric: str
) -> np.ndarray:
    """Return M/s, block by block; ``whole`` is the covariance of the atoms compared."""
    along, end = np.zeros(covariance.shape), 0
    for width in widths:
        block = slice(end, end + width)
        end += width
        part = _power(covariance[block, block], metric)
        # Twice the trace of a covariance is the mean square distance.
        square = 2.0 * np.trace(part.T @ whole[block, block] @ part)
        along[block, block] = part / np.sqrt(square * len(widths) if square > 0.0 else 1.0)
    return along


def _power(covariance: np.ndarray, metric: str) -> np.ndarray:
    variances = np.diag(covariance)
    least = LEAST * variances.mean()
    if metric == "plain" or least == 0.0:
        return np.eye(len(covariance))
    if metric == "scaled":
        return np.diag(np.maximum(variances, least) ** -0.5)
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.maximum(values, least) ** -0.25
