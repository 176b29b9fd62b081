"""The constant predictor as a potential: no forces at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from mekrr.backbones.graph import Search, search_pairs
from mekrr.models.potentials.base import Evaluation, Potential
from mekrr.models.potentials.baseline import Baseline


@dataclass
class ConstantPotential(Potential):
    """A baseline alone: what a frame is made of decides its energy."""

    baseline: Baseline

    def evaluate(
        self, atoms: Atoms, *, std: bool = False, search: Search = search_pairs
    ) -> Evaluation:
        energies = self.baseline.energies(atoms)
        stress = np.zeros(6) if atoms.cell.rank == 3 else None
        return Evaluation(float(energies.sum()), np.zeros((len(atoms), 3)), stress, energies)

    def doubt(self, frames: Sequence[Atoms]) -> str | None:
        return self.baseline.doubt(frames)
