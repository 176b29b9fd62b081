"""Nearest of many points, exactly, without looking at all pairs where that can be avoided.

A projection brings no two points further apart than they are. So a tree of the points' projections
on the few axes along which they differ most proposes neighbours, which are compared in full; none
that it leaves out is closer than the last of those it names is by its projection. Neighbours in
time, which cost little, bound how far it has to look. What a tree does not settle, points as far
from each other as from any, is found among all pairs, by matrix products.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # slow to import, and few jobs need a tree
    from scipy.spatial import cKDTree

ALL_PAIRS = 4e6  # up to so many, all pairs are looked at: quicker than a tree
MOST_PAIRS = 1e10  # beyond, only where distances have to be exact
AXES, SAMPLE = 16, 4096  # axes of the projections, and points by which they are chosen
PROPOSED = (64, 512)  # neighbours by projection: at first, and where these do not settle it
AROUND = np.arange(-2, 3)  # places in the order of points, in which neighbours in time follow
TRIED = 128  # queries by which it is judged whether a tree settles most
ROWS, COLUMNS = 512, 50_000  # of the distances in memory at once
COMPARED = 1 << 22  # numbers in the points that are compared in full at once


class NearestPoints:
    """Points among which the nearest are looked for.

    Parameters
    ----------
    points : (n, d).
    others : (m,) rows of those that may be neighbours, rising.
    """

    def __init__(self, points: np.ndarray, others: np.ndarray):
        self._points, self._others = points, others

    def of(
        self, queries: np.ndarray, k: int = 1, within: float = np.inf, exact: float = np.inf
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Yield the ``k`` nearest of the queries, a block of these at a time.

        Parameters
        ----------
        queries : (q,) rows of points; none is a neighbour of itself.
        within : neighbours as far as that, or further, do not count.
        exact : distances below are exact however many points there are. One beyond may be that of
            a point somewhat further than the nearest, where more than ``MOST_PAIRS`` would have
            to be looked at.

        Yields
        ------
        block, rows (b, ≤ k) of the neighbours and their distances, rising; of a query that has
        fewer than others of the block, rows of any and infinity.
        """
        k = min(k, len(self._others))
        pairs = len(queries) * len(self._others)
        settled = within if pairs <= MOST_PAIRS else min(within, exact)
        by_tree = pairs > ALL_PAIRS and self._settles(queries, k, within, settled)
        by_tree |= pairs > MOST_PAIRS
        for start in range(0, len(queries), ROWS):
            block = slice(start, start + ROWS)
            if by_tree:
                yield block, *self._by_tree(queries[block], k, within, settled)
            else:
                yield block, *self._by_pairs(queries[block], k, within)

    def _settles(self, queries: np.ndarray, k: int, within: float, settled: float) -> bool:
        """Tell whether a tree finds the nearest of most queries."""
        some = queries[:: 1 + len(queries) // TRIED]
        return bool(np.mean(self._proposed(some, PROPOSED[0], k, within, settled)[2]) > 0.5)

    def _by_tree(
        self, queries: np.ndarray, k: int, within: float, settled: float
    ) -> tuple[np.ndarray, np.ndarray]:
        rows = np.full((len(queries), k), self._others[0])
        distances = np.full((len(queries), k), np.inf)
        left = np.arange(len(queries))
        for proposed in PROPOSED:
            *found, done = self._proposed(queries[left], proposed, k, within, settled)
            width = found[0].shape[1]
            rows[left, :width], distances[left, :width] = found
            left = left[~done]
            if not len(left):
                return rows, distances
        rows[left], distances[left] = self._by_pairs(queries[left], k, within)
        return rows, distances

    def _proposed(
        self, queries: np.ndarray, proposed: int, k: int, within: float, settled: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the nearest of those that the tree proposes, and of which queries they are it."""
        projected, tree = self._tree
        proposed = min(max(proposed, k), len(self._others))
        bounds = np.full(len(queries), within)
        known = self._known(queries) if k == 1 else None
        if known is not None:
            bounds = np.minimum(bounds, known[1])
        ranks = np.arange(1, proposed + 1)
        answers = [
            tree.query(point, ranks, distance_upper_bound=bound)
            for point, bound in zip(projected[queries], bounds, strict=True)
        ]
        least, found = (np.stack(values) for values in zip(*answers, strict=True))
        last = least[:, -1]
        width = max(1, int(np.isfinite(least).sum(axis=1).max()))
        least, found = least[:, :width], found[:, :width]
        none = np.isinf(least)
        rows = self._others[np.where(none, 0, found)]
        distances = self._distances(queries, rows)
        distances[none] = np.inf
        if known is not None:
            rows = np.hstack([known[0][:, None], rows])
            distances = np.hstack([known[1][:, None], distances])
        distances[distances >= within] = np.inf
        rows, distances = _smallest(rows, distances, min(k, width))
        done = last >= np.minimum(distances[:, -1], settled)
        return rows, distances, done | (proposed == len(self._others))

    def _known(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a point (q,) near each query, and how far it is, for little.

        Of a trajectory it is most often the nearest.
        """
        projected, tree = self._tree
        places = np.searchsorted(self._others, queries)[:, None] + AROUND
        _, near = tree.query(projected[queries], np.arange(1, 5), eps=1.0)
        near = np.clip(np.hstack([places, near]), 0, len(self._others) - 1)
        rows = self._others[near]
        rows, distances = _smallest(rows, self._distances(queries, rows), 1)
        return rows[:, 0], distances[:, 0]

    def _distances(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return distances (q, k) of queries to as many points each; infinity to themselves."""
        distances = np.empty(rows.shape)
        step = max(1, COMPARED // (rows.shape[1] * self._points.shape[1]))
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            away = self._points[rows[part]] - self._points[queries[part], None]
            distances[part] = np.sqrt(np.einsum("qkd,qkd->qk", away, away))
        distances[rows == queries[:, None]] = np.inf
        return distances

    @cached_property
    def _tree(self) -> tuple[np.ndarray, cKDTree]:
        """Projections of all points, and the tree of the others'."""
        from scipy.spatial import cKDTree

        sample, _ = _centred(self._points[self._others[:: 1 + len(self._others) // SAMPLE]])
        axes = np.linalg.eigh(sample.T @ sample).eigenvectors[:, : -AXES - 1 : -1]
        projected = np.concatenate(
            [part @ axes for part in np.array_split(self._points, 1 + len(self._points) // COLUMNS)]
        )
        return projected, cKDTree(projected[self._others])

    def _by_pairs(
        self, queries: np.ndarray, k: int, within: float
    ) -> tuple[np.ndarray, np.ndarray]:
        rows = np.zeros((len(queries), 0), dtype=np.int64)
        squared = np.zeros((len(queries), 0))
        for others, right, origin in self._chunks():
            more = _squared_distances(self._points[queries] - origin, right)
            more[queries[:, None] == others[None, :]] = np.inf
            near = _least(more, min(k, len(others)))
            rows = np.hstack([rows, others[near]])
            squared = np.hstack([squared, np.take_along_axis(more, near, axis=1)])
        rows, distances = _smallest(rows, np.sqrt(squared), k)
        distances[distances >= within] = np.inf
        return rows, distances

    def _chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield rows, points and origin of some of the others at a time."""
        if len(self._others) <= COLUMNS:
            yield self._others, *self._all_centred
            return
        for start in range(0, len(self._others), COLUMNS):
            others = self._others[start : start + COLUMNS]
            yield others, *_centred(self._points[others])

    @cached_property
    def _all_centred(self) -> tuple[np.ndarray, np.ndarray]:
        return _centred(self._points[self._others])


def _centred(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points about their mean, which is the more exact for their products, and that."""
    origin = points.mean(axis=0, dtype=np.float64)
    return points - origin, origin


def _squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    norms = np.einsum("ij,ij->i", left, left)[:, None] + np.einsum("ij,ij->i", right, right)
    return np.maximum(norms - 2.0 * (left @ right.T), 0.0)


def _least(values: np.ndarray, k: int) -> np.ndarray:
    """Return columns (n, k) of the smallest values of each row, in any order."""
    if k == 1:
        return values.argmin(axis=1)[:, None]
    if k == values.shape[1]:
        return np.broadcast_to(np.arange(k), values.shape)
    return np.argpartition(values, k - 1, axis=1)[:, :k]


def _smallest(rows: np.ndarray, distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k smallest distances of each row, rising, and what stands for them."""
    near = _least(distances, k)
    if k > 1:
        order = np.argsort(np.take_along_axis(distances, near, axis=1), axis=1, kind="stable")
        near = np.take_along_axis(near, order, axis=1)
    return np.take_along_axis(rows, near, axis=1), np.take_along_axis(distances, near, axis=1)
