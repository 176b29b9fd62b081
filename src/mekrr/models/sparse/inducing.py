"""Inducing atoms: the few training atoms whose kernels make up a sparse model."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from scipy.linalg import solve_triangular

from mekrr.kernels.atom import Radial
from mekrr.models.sparse.distances import halves, kernel_between
from mekrr.models.sparse.sample import evenly

WAYS = ("cholesky", "k-means", "farthest")
CANDIDATES = 4096  # atoms of a species among which its inducing atoms are sought, evenly spread
# Of a variance of 1, what others leave of an atom's: below this its kernel is theirs in float32.
TOLERANCE = 1e-5


def choose_inducing(
    coordinates: Mapping[int, np.ndarray],
    kernel: Radial,
    n: int,
    method: str = "cholesky",
    refined: Collection[int] = (),
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
    refined : species that are chosen of twice: the second time those atoms are candidates too of
        which the first choice told the least, so that what is rare is not passed over.

    Returns
    -------
    Species (M,) of those chosen, and the row of each in the coordinates of its species.
    """
    most = max(CANDIDATES, 2 * n)
    candidates = {s: evenly(len(atoms), most) for s, atoms in coordinates.items()}
    found, left = _pivots(coordinates, candidates, kernel, n)
    for s in refined:
        worst = np.argsort(-_left(coordinates[s], left[s], kernel), kind="stable")[:most]
        candidates[s] = np.union1d(candidates[s], worst)
    if refined:
        found, _ = _pivots(coordinates, candidates, kernel, n)
    species, rows = found
    if method == "cholesky":
        return species, rows
    other = _clusters if method == "k-means" else _farthest
    counts = zip(*np.unique(species, return_counts=True), strict=True)
    by_species = {int(s): other(coordinates[int(s)], int(count)) for s, count in counts}
    return (
        np.concatenate([np.full(len(atoms), s) for s, atoms in by_species.items()]),
        np.concatenate(list(by_species.values())),
    )


def _pivots(
    coordinates: Mapping[int, np.ndarray],
    candidates: Mapping[int, np.ndarray],
    kernel: Radial,
    n: int,
) -> tuple[tuple[np.ndarray, np.ndarray], dict[int, Pivots]]:
    """Return species and rows of up to n pivots among candidates, and the decompositions."""
    left = {s: Pivots(coordinates[s][some], kernel) for s, some in candidates.items()}
    species: list[int] = []
    rows: list[int] = []
    while len(species) < n:
        s = max(left, key=lambda species: left[species].variance)
        if left[s].variance <= TOLERANCE:
            break
        species.append(s)
        rows.append(int(candidates[s][left[s].take()]))
    return (np.array(species), np.array(rows)), left


def _left(atoms: np.ndarray, pivots: Pivots, kernel: Radial) -> np.ndarray:
    """Return what pivots leave of the variance of atoms (n, d), (n,)."""
    chosen, triangle = pivots.chosen, pivots.triangle
    if not len(chosen):
        return np.ones(len(atoms))
    parts = []
    for some in np.array_split(atoms, -(-len(atoms) // CANDIDATES)):
        of_chosen = kernel_between(kernel, chosen, some)
        told = solve_triangular(triangle, of_chosen, trans="T", check_finite=False)
        parts.append(1.0 - np.einsum("mn,mn->n", told, told))
    return np.concatenate(parts)


class Pivots:
    """Pivoted Cholesky decomposition of the kernel between atoms, one pivot after the other.

    Parameters
    ----------
    rows : (N, d) coordinates.
    """

    def __init__(self, rows: np.ndarray, kernel: Radial):
        self._rows, self._kernel = rows, kernel
        self._halves = halves(rows)
        self._left = np.ones(len(rows))
        self._factor = np.zeros((0, len(rows)), dtype=np.float32)
        self._n = 0
        self._taken: list[int] = []

    @property
    def chosen(self) -> np.ndarray:
        """(m, d) coordinates of the pivots so far."""
        return self._rows[self._taken]

    @property
    def triangle(self) -> np.ndarray:
        """L (m, m), upper as Lᵀ, of the kernels between these: float32."""
        return self._factor[: self._n, self._taken]

    @property
    def variance(self) -> float:
        """The largest variance that those before leave."""
        return float(self._left.max())

    def take(self) -> int:
        """Return the row of the next pivot."""
        pivot = int(self._left.argmax())
        n = self._n
        if n == len(self._factor):  # twice as many rows, so that most are never copied
            more = np.empty((max(n, 64), len(self._rows)), dtype=np.float32)
            self._factor = np.concatenate([self._factor, more])
        one = self._rows[pivot : pivot + 1]
        column = kernel_between(self._kernel, one, self._rows, self._halves)[0]
        column -= self._factor[:n, pivot] @ self._factor[:n]
        self._factor[n] = column / np.sqrt(self._left[pivot])
        self._left -= self._factor[n].astype(np.float64) ** 2
        self._left[pivot] = 0.0  # rounding may leave a chosen one some
        self._n += 1
        self._taken.append(pivot)
        return pivot


def _clusters(rows: np.ndarray, n: int) -> np.ndarray:
    """Return the atoms nearest to the means of n clusters."""
    from sklearn.cluster import MiniBatchKMeans  # a second, which no other way needs

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
