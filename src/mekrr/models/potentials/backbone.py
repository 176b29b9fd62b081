"""The untouched backbone as a potential: its own energy, moved to the zero of the data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from ase import Atoms

from mekrr.backbones.base import Backbone
from mekrr.backbones.gradient import forces_and_virial, stress_of
from mekrr.backbones.graph import Search, search_pairs
from mekrr.models.potentials.base import Evaluation
from mekrr.models.potentials.baseline import Baseline, OverBaseline
from mekrr.torch_settings import own_torch_settings


@dataclass
class BackbonePotential(OverBaseline):
    """A backbone's own energy, with a baseline beside it.

    Attributes
    ----------
    backbone : one that has an energy.
    device : that computes.
    """

    backbone: Backbone
    baseline: Baseline
    device: torch.device | str = "cpu"

    def __post_init__(self) -> None:
        self.backbone.to(self.device)

    def evaluate(
        self, atoms: Atoms, *, std: bool = False, search: Search = search_pairs
    ) -> Evaluation:
        self.backbone.check_species([atoms], "potential")
        energies = self.baseline.energies(atoms)
        with own_torch_settings():
            graph = self.backbone.graph([atoms], search).to(self.device).differentiable()
            output = self.backbone.forward(graph, [])
            assert output.energy is not None
            forces, (virial,) = forces_and_virial(
                graph, [output.energy], [torch.ones_like(output.energy)]
            )
        energy = float(energies.sum()) + output.energy.item()
        of_atoms = None
        if output.atomic_energy is not None:
            of_atoms = energies + output.atomic_energy.detach().double().cpu().numpy()
        return Evaluation(energy, forces, stress_of(atoms, virial), of_atoms)
