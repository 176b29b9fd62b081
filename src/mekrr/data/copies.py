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
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from ase import Atoms
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from mekrr.data.closeness import BLOCK, Closeness

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
CANDIDATES = 16  # frames compared atom by atom with each


class Copies:
    """Copies of frames that coordinates do not show, the frames prepared once for all questions.

    Parameters
    ----------
    frames : in any order and of any compositions.
    closeness : of the same frames.
    """

    def __init__(self, frames: Sequence[Atoms], closeness: Closeness):
        self._closeness = closeness
        groups: dict[tuple, list[int]] = {}
        for k, atoms in enumerate(frames):
            species, counts = np.unique(atoms.numbers, return_counts=True)
            ratio = counts // np.gcd.reduce(counts)
            groups.setdefault((*species.tolist(), *ratio.tolist()), []).append(k)
        self._group = np.empty(len(frames), dtype=int)
        self._atoms: list[list[np.ndarray]] = [[]] * len(frames)
        self._means: list[np.ndarray] = [np.empty(0)] * len(frames)
        for number, members in enumerate(groups.values()):
            self._group[members] = number
            for k in members:
                self._atoms[k] = _environments(frames[k])
                self._means[k] = _moments(self._atoms[k])

    def nearest(self, queries: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the distance (Å) of each query frame to its closest copy among the others.

        Infinite where none is within ``COPY``, or ``EXACT_COPY`` of fewer atoms than ``ENOUGH``.
        A frame of another composition is one only if either is a multiple of the other.
        """
        best = np.full(len(queries), np.inf)
        for number in np.unique(self._group[queries]):
            asked = np.flatnonzero(self._group[queries] == number)
            columns = others[self._group[others] == number]
            if not len(columns):
                continue
            right = np.stack([self._means[k] for k in columns])
            for start in range(0, len(asked), BLOCK):
                block = asked[start : start + BLOCK]
                least = cdist(np.stack([self._means[k] for k in queries[block]]), right)
                least[queries[block][:, None] == columns] = np.inf
                for row, position in zip(least, block, strict=True):
                    best[position] = self._closest(queries[position], columns, row)
        return best

    def _closest(self, query: int, columns: np.ndarray, least: np.ndarray) -> float:
        """Return the distance of one frame to its closest copy, given the least each can be."""
        found, tried = np.inf, 0
        for k in np.argsort(least):
            if least[k] >= min(found, COPY) or tried == CANDIDATES:
                break
            seen = self._closeness.between(query, columns[k]) < SEEN
            few = min(sum(map(len, self._atoms[frame])) for frame in (query, columns[k])) < ENOUGH
            limit = EXACT_COPY if seen or few else COPY
            if least[k] > limit:
                continue
            tried += 1
            distance = self._distance(query, columns[k])
            if distance < limit:
                found = min(found, distance)
        return found

    def _distance(self, one: int, other: int) -> float:
        total, n_atoms = 0.0, 0
        for left, right in zip(self._atoms[one], self._atoms[other], strict=True):
            n = math.lcm(len(left), len(right))
            squared = cdist(left, right, "sqeuclidean") / left.shape[1]
            squared = np.repeat(squared, n // len(left), axis=0)
            squared = np.repeat(squared, n // len(right), axis=1)
            total += squared[linear_sum_assignment(squared)].sum() * len(left) / n
            n_atoms += len(left)
        return math.sqrt(total / n_atoms)


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
    frame has the same atoms in the same cell, copy where none is a copy by `Copies`.
    """
    closeness = Closeness(frames)
    copies = Copies(frames, closeness)
    tables, of_frame = [], np.asarray(numbers)
    for name, parts in splits.items():
        test, train = (np.flatnonzero(parts == part) for part in ("test", "train"))
        distances = {"rmsd": closeness.nearest(test, train), "copy": copies.nearest(test, train)}
        tables.append(pd.DataFrame({"split": name, "frame": of_frame[test], **distances}))
    return pd.concat(tables, ignore_index=True)
