"""Frames that are the same up to the order of atoms, a translation, a rotation or repetition.

Coordinates do not show it; distances between atoms do. Of each atom the sorted distances to its
nearest neighbours of each species, periodic images among them, are kept. Two frames are as far
apart as the root mean square difference of these, each atom of one assigned to one of the other
so that it is least, smaller cells repeated until both have as many atoms. Mirror images, which
have the same energy, count as the same.

Neighbours in time are close by these distances too, closer than by coordinates. They are left
to coordinates, `mekrr.data.closeness`, which tell all about them.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from ase import Atoms
from scipy import sparse
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist

from mekrr.data.closeness import Closeness, PointList, in_groups
from mekrr.data.nearest import NearestPoints
from mekrr.progress import PATIENCE, progress_bar

# Å. In slabs and bulk, atoms displaced at random by a near repeat's 0.05 Å RMSD end within 0.03,
# frames of a run that are 0.15 Å RMSD apart beyond 0.04: sorting takes part of it away.
COPY = 0.035
EXACT_COPY = 1e-3  # Å
# Atoms of a frame, of fewer of which only exact copies count: thermal frames of small cells and
# molecules, symmetric ones above all, come as close by chance.
ENOUGH = 12
SEEN = 0.25  # Å RMSD; frames closer than that, and no exact copies, are left to coordinates
CUTOFF = 6.0  # Å; atoms beyond it count as if they were there
NEIGHBOURS = 12  # of each species
CANDIDATES = 16  # frames compared atom by atom with each,
LOOKED_AT = 512  # of so many that are the closest by their moments
AT_A_TIME = 64  # of which it is asked at once whether they are seen
KEPT = 1 << 28  # bytes of environments


class Copies:
    """Copies of frames that coordinates do not show, the frames prepared once for all questions.

    In memory are moments of what is compared, 24 numbers of four bytes for each pair of species
    in a frame, beside `Closeness`: 0.4 GB for 10⁶ frames of two species.

    Parameters
    ----------
    frames : in any order and of any compositions. They are run through once, and single ones
        asked for again.

    Attributes
    ----------
    closeness : of the same frames.
    """

    def __init__(self, frames: Sequence[Atoms]):
        self._frames = frames
        self._kept: OrderedDict[int, list[np.ndarray]] = OrderedDict()
        self._bytes = 0
        self._groups: dict[tuple, int] = {}
        self._moments: list[PointList] = []
        self._group, self._row, self._n_atoms = np.empty((3, len(frames)), dtype=np.int64)
        self.closeness = Closeness(self._described())
        self._points = [moments.array() for moments in self._moments]

    def _described(self) -> Iterator[Atoms]:
        """Yield the frames, each when what there is to know of it is known."""
        with progress_bar(len(self._frames), "environments", "frames", delay=PATIENCE) as bar:
            for k, atoms in enumerate(self._frames):
                species, counts = np.unique(atoms.numbers, return_counts=True)
                ratio = counts // np.gcd.reduce(counts)
                key = (*species.tolist(), *ratio.tolist())
                group = self._groups.setdefault(key, len(self._groups))
                if group == len(self._moments):
                    self._moments.append(PointList("f"))
                moments = self._moments[group]
                self._group[k], self._row[k], self._n_atoms[k] = group, len(moments), len(atoms)
                moments.append(_moments(self._keep(k, _environments(atoms))))
                yield atoms
                bar.update()

    def _keep(self, k: int, environments: list[np.ndarray]) -> list[np.ndarray]:
        """Return the environments of a frame, and keep them as long as there is room."""
        self._kept[k] = environments
        self._bytes += sum(table.nbytes for table in environments)
        while self._bytes > KEPT and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= sum(table.nbytes for table in dropped)
        return environments

    def _environments_of(self, k: int) -> list[np.ndarray]:
        if k in self._kept:
            self._kept.move_to_end(k)
            return self._kept[k]
        return self._keep(k, _environments(self._frames[k]))

    def nearest(self, queries: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the distance (Å) of each query frame to its closest copy among the others.

        Infinite where none is within ``COPY``; or ``EXACT_COPY`` of fewer atoms than ``ENOUGH``,
        and where neither frame's atoms are a multiple of the other's: then both are repeats of a
        smaller cell, if they are copies.
        """
        best = np.full(len(queries), np.inf)
        shared = list(in_groups(self._group, queries, others))
        n_asked = sum(len(asked) for _, asked, _ in shared)
        with progress_bar(n_asked, "copies", "frames", delay=PATIENCE) as bar:
            for number, asked, columns in shared:
                points = self._points[number]
                search = NearestPoints(points, self._row[others[columns]])
                of_row = np.empty(len(points), dtype=np.int64)
                of_row[self._row[others[columns]]] = others[columns]
                few = self._n_atoms[queries[asked]] < ENOUGH
                for places, limit in ((asked[few], EXACT_COPY), (asked[~few], COPY)):
                    rows = self._row[queries[places]]
                    for block, near, least in search.of(rows, LOOKED_AT, limit, EXACT_COPY):
                        for place, candidates, distances in zip(
                            places[block], of_row[near], least, strict=True
                        ):
                            best[place] = self._closest(queries[place], candidates, distances)
                            bar.update()
        return best

    def _closest(self, query: int, candidates: np.ndarray, least: np.ndarray) -> float:
        """Return the distance of one frame to its closest copy, given the least each can be."""
        found, tried = np.inf, 0
        n_atoms = self._n_atoms[candidates], np.full(len(candidates), self._n_atoms[query])
        fewer, more = np.minimum(*n_atoms), np.maximum(*n_atoms)
        exactly = (fewer < ENOUGH) | (more % fewer != 0)
        for start in range(0, np.searchsorted(least, COPY), AT_A_TIME):
            some = slice(start, start + AT_A_TIME)
            seen = self.closeness.between(query, candidates[some]) < SEEN
            limits = np.where(seen | exactly[some], EXACT_COPY, COPY)
            for k, least_of_it, limit in zip(candidates[some], least[some], limits, strict=True):
                if least_of_it >= min(found, COPY) or tried == CANDIDATES:
                    return found
                if least_of_it > limit:
                    continue
                tried += 1
                distance = self._distance(query, k, min(limit, found))
                if distance < limit:
                    found = min(found, distance)
        return found

    def _distance(self, one: int, other: int, limit: float) -> float:
        """Return the distance (Å) of two frames, or infinity if it cannot be below a limit."""
        tables = [
            cdist(left, right, "sqeuclidean") / left.shape[1]
            for left, right in zip(
                self._environments_of(one), self._environments_of(other), strict=True
            )
        ]
        n_atoms = sum(map(len, tables))
        if math.sqrt(sum(len(squared) * _bound(squared) for squared in tables) / n_atoms) >= limit:
            return np.inf
        return math.sqrt(sum(len(squared) * _assigned(squared) for squared in tables) / n_atoms)


def _bound(squared: np.ndarray) -> float:
    """Return what `_assigned` is no less than, for little.

    Each atom with the closest to it, and what those that are left cost beyond.
    """
    bounds = []
    for table in (squared, squared.T):
        closest = table.min(axis=0)
        bounds.append(closest.mean() + (table - closest).min(axis=1).mean())
    return float(max(bounds))


def _assigned(squared: np.ndarray) -> float:
    """Return the mean of squared distances, atoms repeated until all are assigned to one each."""
    n = max(squared.shape)
    if n % min(squared.shape) == 0:
        for axis, length in enumerate(squared.shape):
            squared = np.repeat(squared, n // length, axis=axis)
        return float(squared[linear_sum_assignment(squared)].mean())
    # Repeated to as many atoms they may be thousands; shares of each are as good.
    rows, columns = squared.shape
    shares = sparse.vstack(
        [
            sparse.kron(sparse.eye_array(rows), np.ones((1, columns))),
            sparse.kron(np.ones((1, rows)), sparse.eye_array(columns)),
        ]
    )
    of_each = np.repeat([1 / rows, 1 / columns], squared.shape)
    scale = max(float(squared.max()), np.finfo(float).tiny)
    found = linprog(squared.ravel() / scale, A_eq=shares, b_eq=of_each, method="highs")
    return scale * float(found.fun)


def _environments(atoms: Atoms) -> list[np.ndarray]:
    """Return (n_atoms, n_species · NEIGHBOURS) sorted distances (Å) to each species in order."""
    from vesin import NeighborList  # it brings torch along

    species, kind = np.unique(atoms.numbers, return_inverse=True)
    search = NeighborList(cutoff=CUTOFF, full_list=True, n_threads=1)
    i, j, d = search.compute(atoms.positions, atoms.cell.complete().array, atoms.pbc, "ijd")
    place = i.astype(int) * len(species) + kind[j.astype(int)]
    order = np.lexsort((d, place))
    place, d = place[order], d[order]
    rank = np.arange(len(place)) - np.searchsorted(place, place)
    near = rank < NEIGHBOURS
    table = np.full((len(atoms) * len(species), NEIGHBOURS), CUTOFF, dtype=np.float32)
    table[place[near], rank[near]] = d[near]
    table = table.reshape(len(atoms), -1)
    return [table[kind == k] for k in range(len(species))]


def _moments(environments: Sequence[np.ndarray]) -> np.ndarray:
    """Return what differs between two frames by no more than their distance, repeated or not.

    Means and standard deviations over the atoms of each species: assigned values that differ
    by δ in the root mean square have such that differ by no more.
    """
    n_atoms = sum(len(table) for table in environments)
    parts = []
    for table in environments:
        weight = math.sqrt(len(table) / (n_atoms * table.shape[1]))
        table = table.astype(np.float64)
        parts += [weight * table.mean(axis=0), weight * table.std(axis=0)]
    return np.concatenate(parts)


def leaks(
    frames: Sequence[Atoms], numbers: Sequence[int], splits: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Measure from every test frame to the nearest training frame, by coordinates and as copy.

    Parameters
    ----------
    frames, numbers : the frames and their numbers in the source.
    splits : name of a split to the part ("train", "val", "test") of each frame.

    Returns
    -------
    DataFrame with columns split, frame, rmsd and copy (Å); rmsd is infinite where no training
    frame has the same atoms in the same cell, copy where none is a copy by `Copies`. Of very many
    frames rmsd beyond ``NEAR_REPEAT`` may be an upper bound, see `Closeness.neighbours`.
    """
    copies = Copies(frames)
    closeness = copies.closeness
    tables, of_frame = [], np.asarray(numbers)
    for name, parts in splits.items():
        test, train = (np.flatnonzero(parts == part) for part in ("test", "train"))
        distances = {"rmsd": closeness.nearest(test, train), "copy": copies.nearest(test, train)}
        tables.append(pd.DataFrame({"split": name, "frame": of_frame[test], **distances}))
    return pd.concat(tables, ignore_index=True)
