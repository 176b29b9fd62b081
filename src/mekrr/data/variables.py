"""Collective variables: distances and coordination numbers, with their gradients.

A variable is described the same way in the registry of data sets and in the recipes of the
surrogates:

    {distance: [N, N]}                      shortest distance between two species, or
    {distance: [1, 4]}                      distance between two atoms, by index from 0 (Å)
    {coordination: [N, Fe], radius: 2.5}    Σ_ij 1 / (1 + (r_ij/radius)⁶) over both species

Distances are those of the closest periodic images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from ase import Atoms
from ase.data import atomic_numbers
from ase.geometry import find_mic

from mekrr.errors import DataError

SHARPNESS = 6  # exponent of the switching function


def label(spec: Mapping) -> str:
    """Return the name of a variable in tables and on axes, e.g. ``N–N distance``."""
    kind = "distance" if "distance" in spec else "coordination"
    return f"{spec[kind][0]}–{spec[kind][1]} {kind}"


def axis_label(spec: Mapping) -> str:
    """Return the name with its unit: Å for a distance, none for a coordination number."""
    return label(spec) + (" (Å)" if "distance" in spec else "")


def variable(spec: Mapping, atoms: Atoms) -> Distance | Coordination:
    """Return the variable that ``spec`` describes, for frames with the atoms of ``atoms``.

    Raises a DataError if the frame has no such pair of atoms.
    """
    one, other = spec.get("distance") or spec["coordination"]
    first, second = _indices(one, atoms), _indices(other, atoms)
    pairs = np.array([(i, j) for i in first for j in second if i != j], dtype=int)
    if not len(pairs):
        raise DataError(
            f"frame {atoms.info.get('frame', 0)}: no pair of {one} and {other}; correct "
            "the collective variable"
        )
    if one == other:
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    return Distance(pairs) if "distance" in spec else Coordination(pairs, spec["radius"])


def along(specs: Sequence[Mapping], frames: Sequence[Atoms], source: str) -> pd.DataFrame:
    """Return values of variables in every frame: one column per variable, named by `label`.

    Raises a DataError, opened by ``source``, if a frame lacks the atoms.
    """
    try:
        columns = {
            label(spec): [variable(spec, atoms).value(atoms) for atoms in frames] for spec in specs
        }
    except DataError as error:
        raise DataError(f"{source}: {error}") from None
    return pd.DataFrame(columns, index=range(len(frames)))


def _indices(which: str | int, atoms: Atoms) -> np.ndarray:
    if isinstance(which, str):
        return np.flatnonzero(atoms.numbers == atomic_numbers[which])
    return np.array([which] if which < len(atoms) else [], dtype=int)


@dataclass(frozen=True)
class Distance:
    """Shortest distance (Å) among ``pairs`` (n, 2) of atoms."""

    pairs: np.ndarray

    def value(self, atoms: Atoms) -> float:
        """Return the value for a frame."""
        return float(_bonds(atoms, self.pairs)[1].min())

    def gradient(self, atoms: Atoms) -> tuple[float, np.ndarray]:
        """Return the value and its gradient (n_atoms, 3) with respect to the positions."""
        vectors, lengths = _bonds(atoms, self.pairs)
        k = lengths.argmin()
        gradient = np.zeros((len(atoms), 3))
        i, j = self.pairs[k]
        gradient[j] = vectors[k] / lengths[k]
        gradient[i] = -gradient[j]
        return float(lengths[k]), gradient


@dataclass(frozen=True)
class Coordination:
    """Coordination number over ``pairs`` (n, 2) of atoms, with switching ``radius`` (Å)."""

    pairs: np.ndarray
    radius: float

    def value(self, atoms: Atoms) -> float:
        """Return the value for a frame."""
        lengths = _bonds(atoms, self.pairs)[1]
        return float(np.sum(1 / (1 + (lengths / self.radius) ** SHARPNESS)))

    def gradient(self, atoms: Atoms) -> tuple[float, np.ndarray]:
        """Return the value and its gradient (n_atoms, 3) in 1/Å."""
        vectors, lengths = _bonds(atoms, self.pairs)
        power = (lengths / self.radius) ** SHARPNESS
        slope = -SHARPNESS * power / lengths / (1 + power) ** 2
        steps = vectors * (slope / lengths)[:, None]
        gradient = np.zeros((len(atoms), 3))
        np.add.at(gradient, self.pairs[:, 1], steps)
        np.add.at(gradient, self.pairs[:, 0], -steps)
        return float(np.sum(1 / (1 + power))), gradient


def _bonds(atoms: Atoms, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    vectors = atoms.positions[pairs[:, 1]] - atoms.positions[pairs[:, 0]]
    return find_mic(vectors, atoms.cell, atoms.pbc)
