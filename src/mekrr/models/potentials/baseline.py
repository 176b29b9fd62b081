"""What is known of energies beforehand: an energy for each atom, by its species."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from mekrr.data.references import References
from mekrr.models.potentials.base import Potential


@dataclass(frozen=True)
class Baseline:
    """Energies of atoms that no position changes.

    Attributes
    ----------
    references : by species; None for none.
    per_atom : eV, the same for every atom, which comes to these.
    """

    references: References | None = None
    per_atom: float = 0.0

    def energies(self, atoms: Atoms) -> np.ndarray:
        """Return them (n,) in eV; raises a DataError if a species has none."""
        if self.references is None:
            return np.full(len(atoms), self.per_atom)
        return self.references.of(list(atoms.symbols), "frame") + self.per_atom

    def doubt(self, frames: Sequence[Atoms]) -> str | None:
        """Return what is undetermined of some frames'; see `References.doubt`."""
        if self.references is None:
            return None
        formulas = [atoms.get_chemical_formula() for atoms in frames]
        return self.references.doubt(formulas, range(len(frames)), extensive=True)


class OverBaseline(Potential):
    """A potential of what a baseline leaves, which alone may be in doubt."""

    baseline: Baseline

    def doubt(self, frames: Sequence[Atoms]) -> str | None:
        return self.baseline.doubt(frames)
