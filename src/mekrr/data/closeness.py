"""Distances between frames, and how far each test frame is from the training frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
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
        """RMSD (Å) of each query frame to the closest of the others, itself excepted."""
        best = np.full(len(queries), np.inf)
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
        return best


def _circles(atoms: Atoms) -> np.ndarray:
    """Positions as points whose Euclidean distance is the periodic displacement (Å)."""
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


def leaks(
    frames: Sequence[Atoms], numbers: Sequence[int], splits: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Distance (Å RMSD) of every test frame to its nearest training frame.

    Parameters
    ----------
    frames, numbers : the frames and their numbers in the source.
    splits : name of a split to the part ("train", "val", "test") of each frame.

    Returns
    -------
    DataFrame with columns split, frame, rmsd; infinite where no training frame has the
    same atoms in the same cell.
    """
    closeness = Closeness(frames)
    numbers = np.asarray(numbers)
    tables = []
    for name, parts in splits.items():
        test, train = (np.flatnonzero(parts == part) for part in ("test", "train"))
        rmsd = closeness.nearest(test, train)
        tables.append(pd.DataFrame({"split": name, "frame": numbers[test], "rmsd": rmsd}))
    return pd.concat(tables, ignore_index=True)
