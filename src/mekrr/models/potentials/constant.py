"""The constant predictor as a potential: no forces at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from mekrr.backbones.gradient import stress_of
from mekrr.backbones.graph import Search, search_pairs
from mekrr.models.potentials.base import Evaluation
from mekrr.models.potentials.baseline import Baseline, OverBaseline


@dataclass
class ConstantPotential(OverBaseline):
    """A baseline alone: what a frame is made of decides its energy."""

    baseline: Baseline

    def evaluate(
        self, atoms: Atoms, *, std: bool = False, search: Search = search_pairs
    ) -> Evaluation:
        energies = self.baseline.energies(atoms)
        stress = stress_of(atoms, np.zeros((3, 3)))
        return Evaluation(float(energies.sum()), np.zeros((len(atoms), 3)), stress, energies)
