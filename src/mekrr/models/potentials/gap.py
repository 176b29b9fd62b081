"""GAP-SOAP as a potential: quippy differentiates."""

from __future__ import annotations

from dataclasses import dataclass

from ase import Atoms

from mekrr.backbones.graph import Search, search_pairs
from mekrr.models.gap import GapFile
from mekrr.models.potentials.base import Evaluation
from mekrr.models.potentials.baseline import Baseline, OverBaseline


@dataclass
class GapPotential(OverBaseline):
    """A potential of residual energies, with a baseline beside it.

    Attributes
    ----------
    file : of the potential; quippy finds the pairs of atoms itself.
    """

    file: GapFile
    baseline: Baseline

    def evaluate(
        self, atoms: Atoms, *, std: bool = False, search: Search = search_pairs
    ) -> Evaluation:
        known = self.baseline.energies(atoms)
        found = self.file.evaluate(atoms)
        stress = None if atoms.cell.rank < 3 else -found.virial / atoms.get_volume()
        return Evaluation(
            float(known.sum()) + found.energy, found.forces, stress, known + found.energies
        )
