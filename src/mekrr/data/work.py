"""Work of forces between frames that are close to each other, beside their energy differences.

dE = -½ (F_1 + F_2)·dr up to third order in dr: over that work the slope of dE is 1, unless the
two are in units that do not belong together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from mekrr.data.closeness import EXACT_REPEAT, Closeness
from mekrr.data.labels import energy_of, forces_of

SAME_CELL = 1e-3  # Å; a strain does work of its own


@dataclass(frozen=True)
class Work:
    """Pairs of frames, (n_pairs,) each.

    Attributes
    ----------
    work : of the mean forces, eV.
    difference : of the energies, eV.
    n_atoms : atoms of either frame.
    """

    work: np.ndarray
    difference: np.ndarray
    n_atoms: np.ndarray

    def __len__(self) -> int:
        return len(self.work)


def work_of_forces(frames: Sequence[Atoms], pairs: Iterable[tuple[int, int]], limit: float) -> Work:
    """Return work and energy differences of pairs of frames.

    Left out are frames without energy or forces (eV, eV/Å), and pairs of other atoms, in other
    cells, or as far apart as ``limit`` (Å RMSD) or not at all.
    """
    rows = []
    last: dict[int, Atoms] = {}
    for k, other in pairs:
        last = {index: last[index] if index in last else frames[index] for index in (k, other)}
        one, two = last[k], last[other]
        if not np.array_equal(one.numbers, two.numbers):
            continue
        if np.abs(one.cell.array - two.cell.array).max() > SAME_CELL:
            continue
        step, lengths = find_mic(two.positions - one.positions, one.cell, one.pbc)
        if not EXACT_REPEAT < np.sqrt(np.mean(lengths**2)) < limit:
            continue
        (first, force), (second, other_force) = _labels(one), _labels(two)
        if first is None or second is None or force is None or other_force is None:
            continue
        work = -0.5 * np.sum((force + other_force) * step)
        rows.append((work, second - first, len(one)))
    return Work(*np.array(rows, dtype=float).reshape(-1, 3).T)


def _labels(atoms: Atoms) -> tuple[float | None, np.ndarray | None]:
    return energy_of(atoms), forces_of(atoms)


def in_time(runs: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs of frames that follow each other in one of the ``runs`` (n_frames,)."""
    return [(k, k + 1) for k in np.flatnonzero(runs[:-1] == runs[1:]).tolist()]


def closest(closeness: Closeness, most: int) -> list[tuple[int, int]]:
    """Return each frame, or ``most`` of many, with the one of all that is closest to it."""
    every = np.arange(len(closeness))
    asked = np.unique(np.linspace(0, len(every) - 1, min(len(every), most)).astype(int))
    others, _ = closeness.neighbours(asked, every)
    pairs = {(min(pair), max(pair)) for pair in zip(asked.tolist(), others.tolist(), strict=True)}
    return sorted(pairs)
