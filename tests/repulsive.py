"""A backbone whose own energy is known, and frames that it describes but for their species."""

import numpy as np
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr.backbones.analytic.adapter import AnalyticBackbone
from mekrr.backbones.base import BackboneOutput

SPECIES_ENERGY = {"Cu": -1300.0, "O": -430.0}


class Repulsive(AnalyticBackbone):
    """The analytic backbone with an energy: half of Σ exp(-r) over neighbours, in eV."""

    has_energy = True
    weights_sha256 = "one"

    def forward(self, graph, layers=None, energy=True):
        pair = 0.5 * torch.exp(-graph.edge_vectors().norm(dim=1))
        atomic = pair.new_zeros(len(graph.species)).index_add(0, graph.centre, pair)
        total = pair.new_zeros(len(graph.n_atoms)).index_add(0, graph.frame, atomic)
        found = super().forward(graph, layers).layers
        return BackboneOutput(found, total, atomic) if energy else BackboneOutput(found)


def frame(rng, symbols, spread=0.1):
    positions = [[0, 0, 0], [0, 1.8, 1.8], [1.8, 0, 1.8], [1.8, 1.8, 0]]
    atoms = Atoms(symbols, positions=positions, cell=[3.6] * 3, pbc=True)
    atoms.positions += spread * rng.normal(size=(4, 3))
    graph = Repulsive("r").graph([atoms])
    energy = float(Repulsive("r").forward(graph).energy)
    energy += sum(SPECIES_ENERGY[symbol] for symbol in atoms.symbols)
    atoms.calc = SinglePointCalculator(atoms, energy=energy)
    return atoms


def energies(frames):
    return np.array([atoms.get_potential_energy() for atoms in frames])
