"""Distances between frames by the coordinates of their atoms."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

import numpy as np
from ase import Atoms

from mekrr.data.nearest import NearestPoints
from mekrr.progress import PATIENCE, progress_bar

EXACT_REPEAT = 1e-4  # Å
NEAR_REPEAT = 0.05  # Å


class Closeness:
    """Distances between frames, the frames prepared once for all questions.

    A distance is the root of the mean square displacement of the atoms in the order
    given, periodic images taken into account: a coordinate x along a periodic vector of
    length L enters as a point on a circle of circumference L, which is exact for small
    displacements in an orthogonal cell. Frames with other atoms or in another cell are
    infinitely far.

    In memory are these points alone, two numbers for each periodic coordinate: 2.4 GB for 10⁶
    frames of 50 atoms.

    Attributes
    ----------
    n_groups : number of groups of frames with the same atoms, in one order, in one cell.
    """

    def __init__(self, frames: Iterable[Atoms]):
        numbers: dict[tuple, int] = {}
        groups, rows = array("q"), array("q")
        points: list[PointList] = []
        for atoms in frames:
            cell = atoms.cell.array.round(3)
            key = (atoms.numbers.tobytes(), cell.tobytes(), atoms.pbc.tobytes())
            group = numbers.setdefault(key, len(numbers))
            if group == len(points):
                points.append(PointList())
            groups.append(group)
            rows.append(len(points[group]))
            points[group].append(_circles(atoms) / np.sqrt(len(atoms)))
        self.n_groups = len(numbers)
        self._group, self._row = np.array(groups), np.array(rows)
        self._points = [of_group.array() for of_group in points]

    def __len__(self) -> int:
        return len(self._group)

    def nearest(self, queries: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the RMSD (Å) of each query frame to the closest of the others, itself excepted."""
        return self.neighbours(queries, others)[1]

    def neighbours(self, queries: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return, for each query frame, the closest of the others, itself excepted, and its RMSD.

        Of a frame without any, itself and infinity (Å). Distances below ``NEAR_REPEAT`` are exact.
        Those beyond are so too, but in groups of 10⁵ frames and more that are as far from each
        other as from any: there it may be a frame somewhat further than the closest, see
        `NearestPoints`.
        """
        closest, best = np.array(queries), np.full(len(queries), np.inf)
        shared = list(in_groups(self._group, queries, others))
        n_asked = sum(len(asked) for _, asked, _ in shared)
        with progress_bar(n_asked, "distances", "frames", delay=PATIENCE) as bar:
            for number, asked, columns in shared:
                search = NearestPoints(self._points[number], self._row[others[columns]])
                of_row = np.empty(len(self._points[number]), dtype=np.int64)
                of_row[self._row[others[columns]]] = others[columns]
                of_query = self._row[queries[asked]]
                for block, rows, distances in search.of(of_query, exact=NEAR_REPEAT):
                    best[asked[block]] = distances[:, 0]
                    closest[asked[block]] = of_row[rows[:, 0]]
                    bar.update(len(rows))
        closest[np.isinf(best)] = np.asarray(queries)[np.isinf(best)]
        return closest, best

    def between(self, one: int, others: np.ndarray) -> np.ndarray:
        """Return the RMSD (Å) of a frame to each of some others."""
        distances = np.full(len(others), np.inf)
        same = self._group[others] == self._group[one]
        points = self._points[self._group[one]]
        away = points[self._row[others[same]]] - points[self._row[one]]
        distances[same] = np.linalg.norm(away, axis=1)
        return distances


class PointList:
    """Points of one length, as many as come, in little more memory than they need."""

    def __init__(self, kind: str = "d"):
        self._numbers, self._n = array(kind), 0

    def __len__(self) -> int:
        return self._n

    def append(self, point: np.ndarray) -> None:
        """Add a point (d,)."""
        self._numbers.frombytes(point.astype(self._numbers.typecode).tobytes())
        self._n += 1

    def array(self) -> np.ndarray:
        """Return all of them (n, d), without a copy; none can be added any more."""
        return np.frombuffer(self._numbers, dtype=self._numbers.typecode).reshape(self._n, -1)


def in_groups(
    group: np.ndarray, queries: np.ndarray, others: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield each group (n_frames,) with places of its frames among queries and others, rising.

    Groups without any of either are left out.
    """
    asked, known = _places(group[queries]), _places(group[others])
    for number in asked:
        if number in known:
            yield number, asked[number], known[number]


def _places(groups: np.ndarray) -> dict[int, np.ndarray]:
    """Return the places (n,) at which each number of a group stands."""
    numbers, first = np.unique(groups[order := np.argsort(groups, kind="stable")], True)
    return dict(zip(numbers.tolist(), np.split(order, first[1:]), strict=True))


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
