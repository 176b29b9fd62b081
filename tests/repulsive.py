"""A backbone whose own energy is known, and frames that it describes but for their species."""

import numpy as np
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr.backbones.analytic.adapter import AnalyticBackbone
from mekrr.backbones.base import BackboneOutput
from mekrr.backbones.gradient import forces_and_virial

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


class Smooth(Repulsive):
    """With an energy that ends at the cutoff, as that of a network does."""

    def forward(self, graph, layers=None, energy=True):
        found = super().forward(graph, layers)
        r = graph.edge_vectors().norm(dim=1) / self.cutoff
        pair = 0.5 * (1.0 - r**2) ** 3 * torch.exp(-r)
        total = pair.new_zeros(len(graph.n_atoms)).index_add(0, graph.frame[graph.centre], pair)
        return BackboneOutput(found.layers, total)


def frame(rng, symbols, spread=0.1):
    positions = [[0, 0, 0], [0, 1.8, 1.8], [1.8, 0, 1.8], [1.8, 1.8, 0]]
    atoms = Atoms(symbols, positions=positions, cell=[3.6] * 3, pbc=True)
    atoms.positions += spread * rng.normal(size=(4, 3))
    graph = Repulsive("r").graph([atoms])
    energy = float(Repulsive("r").forward(graph).energy)
    energy += sum(SPECIES_ENERGY[symbol] for symbol in atoms.symbols)
    atoms.calc = SinglePointCalculator(atoms, energy=energy)
    return atoms


class Attractive(Repulsive):
    """Another energy, which the features of `Repulsive` tell."""

    def forward(self, graph, layers=None, energy=True):
        found = super().forward(graph, layers)
        r = graph.edge_vectors().norm(dim=1)
        oxygen = (graph.species == 8).to(r)
        strength = 1.0 + oxygen[graph.centre] + oxygen[graph.neighbour]
        pair = 0.15 * strength * torch.exp(-((r - 2.2) ** 2)) * (1.0 - (r / self.cutoff) ** 2) ** 2
        more = pair.new_zeros(len(graph.n_atoms)).index_add(0, graph.frame[graph.centre], pair)
        return BackboneOutput(found.layers, found.energy + more)


def pulled(rng, symbols, spread=0.1):
    """A frame with energy and forces of `Attractive`, beyond the species' energies."""
    atoms = frame(rng, symbols, spread)
    backbone = Attractive("a")
    graph = backbone.graph([atoms]).differentiable()
    found = backbone.forward(graph).energy
    forces, _ = forces_and_virial(graph, [found], [torch.ones(1)])
    energy = found.item() + sum(SPECIES_ENERGY[symbol] for symbol in atoms.symbols)
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    return atoms


def energies(frames):
    return np.array([atoms.get_potential_energy() for atoms in frames])
