"""Distances between frames by the coordinates of their atoms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

EXACT_REPEAT = 1e-4  # Å
NEAR_REPEAT = 0.05  # Å
BLOCK = 512


class Closeness:
    """Distances between frames, the frames prepared once for all questions.

    A distance is the root of the mean square displacement of the atoms in the order
    given, periodic images taken into account: a coordinate x along a periodic vector of
    length L enters as a point on a circle of circumference L, which is exact for small
    displacements in an orthogonal cell. Frames with other atoms or in another cell are
    infinitely far.

    Attributes
    ----------
    n_groups : number of groups of frames with the same atoms, in one order, in one cell.
    """

    def __init__(self, frames: Sequence[Atoms]):
        groups: dict[tuple, list[int]] = {}
        for k, atoms in enumerate(frames):
            cell = atoms.cell.array.round(3)
            key = (atoms.numbers.tobytes(), cell.tobytes(), atoms.pbc.tobytes())
            groups.setdefault(key, []).append(k)
        self.n_groups = len(groups)
        self._group, self._row = np.empty((2, len(frames)), dtype=int)
        self._points = []
        for number, members in enumerate(groups.values()):
            self._group[members] = number
            self._row[members] = np.arange(len(members))
            points = np.stack([_circles(frames[k]) for k in members])
            self._points.append(points / np.sqrt(len(frames[members[0]])))

    def nearest(self, queries: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the RMSD (Å) of each query frame to the closest of the others, itself excepted."""
        return self.neighbours(queries, others)[1]

    def neighbours(self, queries: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return, for each query frame, the closest of the others, itself excepted, and its RMSD.

        Of a frame without any, itself and infinity (Å).
        """
        closest, best = np.array(queries), np.full(len(queries), np.inf)
        for number, points in enumerate(self._points):
            asked = np.flatnonzero(self._group[queries] == number)
            columns = others[self._group[others] == number]
            if not len(columns):
                continue
            right = points[self._row[columns]]
            for start in range(0, len(asked), BLOCK):
                block = asked[start : start + BLOCK]
                squared = _squared_distances(points[self._row[queries[block]]], right)
                squared[queries[block][:, None] == columns[None, :]] = np.inf
                best[block] = np.sqrt(squared.min(axis=1))
                closest[block] = columns[squared.argmin(axis=1)]
        closest[np.isinf(best)] = np.asarray(queries)[np.isinf(best)]
        return closest, best

    def between(self, one: int, other: int) -> float:
        """Return the RMSD (Å) of two frames."""
        if self._group[one] != self._group[other]:
            return np.inf
        points = self._points[self._group[one]]
        return float(np.linalg.norm(points[self._row[one]] - points[self._row[other]]))


def _circles(atoms: Atoms) -> np.ndarray:
    """Return positions as points whose Euclidean distance is the periodic displacement (Å)."""
    cell = atoms.cell.complete().array
    lengths = np.linalg.norm(cell, axis=1)
    fractions = atoms.positions @ np.linalg.inv(cell)
    parts = []
    for k, periodic in enumerate(atoms.pbc):
        if periodic:
            angle, radius = 2 * np.pi * fractions[:, k], lengths[k] / (2 * np.pi)
            parts += [radius * np.cos(angle), radius * np.sin(angle)]
        else:
            parts.append(lengths[k] * fractions[:, k])
    return np.concatenate(parts)


def _squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    origin = right.mean(axis=0)
    left, right = left - origin, right - origin
    norms = np.einsum("ij,ij->i", left, left)[:, None] + np.einsum("ij,ij->i", right, right)
    return np.maximum(norms - 2.0 * (left @ right.T), 0.0)
