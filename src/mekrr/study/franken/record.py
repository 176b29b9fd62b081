"""What franken predicted for frames of a data set: as a file, and as a potential known there alone.

franken's own model files are pickles: none is kept, so that none is opened.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from mekrr.backbones.graph import Search, search_pairs
from mekrr.errors import DataError
from mekrr.models.potentials.base import Evaluation, Potential
from mekrr.tensors import TensorFile, write_tensors


@dataclass(frozen=True)
class Predicted:
    """Predictions of some frames.

    Attributes
    ----------
    index : (n,) of the frames in their data set.
    energy : (n,) eV.
    forces : for each frame, (n_atoms, 3) in eV/Å.
    """

    index: np.ndarray
    energy: np.ndarray
    forces: Sequence[np.ndarray]

    def save(self, path: str | os.PathLike) -> None:
        """Write them as tensors."""
        tensors = {
            "index": np.asarray(self.index, dtype=np.int64),
            "energy": np.asarray(self.energy, dtype=np.float64),
            "n_atoms": np.array([len(rows) for rows in self.forces], dtype=np.int64),
            "forces": np.concatenate(self.forces).astype(np.float64),
        }
        write_tensors(path, tensors, {})

    @classmethod
    def load(cls, path: str | os.PathLike) -> Predicted:
        """Read a file of `save`; raise a DataError if it is damaged."""
        file = TensorFile(path)
        index, energy, n_atoms, forces = (
            np.array(file.read(name)) for name in ("index", "energy", "n_atoms", "forces")
        )
        return cls(index, energy, np.split(forces, np.cumsum(n_atoms)[:-1]))


class KnownPotential(Potential):
    """Energy and forces of the frames whose predictions are known; of no others.

    Parameters
    ----------
    predicted : of some frames.
    frames : all those of the data set.
    """

    def __init__(self, predicted: Predicted, frames: Sequence[Atoms]):
        rows = zip(
            predicted.index.tolist(), predicted.energy.tolist(), predicted.forces, strict=True
        )
        self._known = {_places(frames[k]): (energy, forces) for k, energy, forces in rows}

    def evaluate(
        self, atoms: Atoms, *, std: bool = False, search: Search = search_pairs
    ) -> Evaluation:
        if _places(atoms) not in self._known:
            raise DataError(f"{atoms.symbols}: franken predicted test frames of its data set alone")
        energy, forces = self._known[_places(atoms)]
        return Evaluation(energy, forces, None)


def _places(atoms: Atoms) -> tuple[bytes, ...]:
    return tuple(x.tobytes() for x in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc))
