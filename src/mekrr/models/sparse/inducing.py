"""Inducing atoms: the few training atoms whose kernels make up a sparse model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from mekrr.kernels.atom import Radial
from mekrr.models.sparse.distances import kernel_between

WAYS = ("cholesky", "k-means", "farthest")
CANDIDATES = 8192  # atoms of a species among which its inducing atoms are sought, evenly spread
# Of a variance of 1, what others leave of an atom's: below this its kernel is theirs in float32.
TOLERANCE = 1e-5


def choose_inducing(
    coordinates: Mapping[int, np.ndarray], kernel: Radial, n: int, method: str = "cholesky"
) -> tuple[np.ndarray, np.ndarray]:
    """Choose up to ``n`` inducing atoms among training atoms, the most telling first.

    By greedy pivoted Cholesky decomposition of the kernel: each time the atom of whose variance
    those before leave the most, over all species; fewer than n if these tell of all others, see
    `TOLERANCE`. The few atoms of a rare species are kept whole in this way. "k-means" and
    "farthest" (farthest point sampling) share n among species alike, but choose other atoms.

    Parameters
    ----------
    coordinates : by species, (n_s, d) of its training atoms.
    kernel : in these coordinates.

    Returns
    -------
    Species (M,) of those chosen, and the row of each in the coordinates of its species.
    """
    species, rows, left = [], [], []
    for s, atoms in coordinates.items():
        candidates = np.linspace(0, len(atoms) - 1, min(len(atoms), CANDIDATES)).round().astype(int)
        found, variances = pivots(atoms[candidates], kernel, n)
        species.append(np.full(len(found), s))
        rows.append(candidates[found])
        left.append(variances)
    order = np.argsort(-np.concatenate(left), kind="stable")[:n]
    chosen = np.concatenate(species)[order]
    if method == "cholesky":
        return chosen, np.concatenate(rows)[order]
    other = _clusters if method == "k-means" else _farthest
    counts = zip(*np.unique(chosen, return_counts=True), strict=True)
    by_species = {int(s): other(coordinates[int(s)], int(count)) for s, count in counts}
    return (
        np.concatenate([np.full(len(atoms), s) for s, atoms in by_species.items()]),
        np.concatenate(list(by_species.values())),
    )


def pivots(rows: np.ndarray, kernel: Radial, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first ``n`` pivots of the Cholesky decomposition, and their variances.

    Parameters
    ----------
    rows : (N, d) coordinates.
    """
    n = min(n, len(rows))
    factor = np.zeros((n, len(rows)), dtype=np.float32)
    variance = np.ones(len(rows))
    chosen: list[int] = []
    left: list[float] = []
    for k in range(n):
        pivot = int(variance.argmax())
        if variance[pivot] <= TOLERANCE:
            break
        left.append(float(variance[pivot]))
        column = kernel_between(kernel, rows[pivot : pivot + 1], rows)[0]
        column -= factor[:k, pivot] @ factor[:k]
        factor[k] = column / np.sqrt(variance[pivot])
        variance -= factor[k].astype(np.float64) ** 2
        variance[pivot] = 0.0  # rounding may leave a chosen one some
        chosen.append(pivot)
    return np.array(chosen, dtype=int), np.array(left)


def _clusters(rows: np.ndarray, n: int) -> np.ndarray:
    """Return the atoms nearest to the means of n clusters."""
    means = MiniBatchKMeans(n, random_state=0, n_init=1).fit(rows).cluster_centers_
    squares = np.einsum("nd,nd->n", rows, rows)
    nearest = [int((squares - 2.0 * (rows @ mean)).argmin()) for mean in means.astype(rows.dtype)]
    return np.array(list(dict.fromkeys(nearest)))


def _farthest(rows: np.ndarray, n: int) -> np.ndarray:
    """Return n atoms, each the farthest from those before; the first is farthest from the mean."""
    chosen = [int(np.square(rows - rows.mean(axis=0)).sum(axis=1).argmax())]
    nearest = np.full(len(rows), np.inf)
    for _ in range(n - 1):
        nearest = np.minimum(nearest, np.square(rows - rows[chosen[-1]]).sum(axis=1))
        chosen.append(int(nearest.argmax()))
    return np.array(chosen)
