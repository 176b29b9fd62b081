"""A network that was trained as a potential."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from ase import Atoms

from mekrr.backbones.gradient import forces_and_virial, stress_of
from mekrr.backbones.graph import Search, search_pairs
from mekrr.backbones.network import Network
from mekrr.models.potentials.base import Evaluation
from mekrr.models.potentials.baseline import Baseline, OverBaseline
from mekrr.torch_settings import own_torch_settings


@dataclass
class NetworkPotential(OverBaseline):
    """The energy of a trained network, with a baseline beside it.

    Attributes
    ----------
    network : trained.
    factor : eV per unit of its output, see `mekrr.models.network.loop.Scale`.
    device : that computes.
    """

    network: Network
    factor: float
    baseline: Baseline
    device: torch.device | str = "cpu"

    def __post_init__(self) -> None:
        self.network.to(self.device)

    def evaluate(
        self, atoms: Atoms, *, std: bool = False, search: Search = search_pairs
    ) -> Evaluation:
        self.network.check_species([atoms], "potential")
        known = float(self.baseline.energies(atoms).sum())
        with own_torch_settings():
            graph = self.network.graph([atoms], search).to(self.device).differentiable()
            output = self.network.energy(graph)
            gradient = torch.full_like(output, self.factor)
            forces, (virial,) = forces_and_virial(graph, [output], [gradient])
        energy = known + self.factor * output.item()
        return Evaluation(energy, forces, stress_of(atoms, virial))
