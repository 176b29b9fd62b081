"""SchNet: from random weights, or from pre-trained ones with its first layers frozen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from ase import Atoms

from mekrr.backbones.graph import AtomGraph, Search, build_graph, search_pairs
from mekrr.backbones.network import Network, check_frozen
from mekrr.backbones.radial import Radial, edge_indices
from mekrr.backbones.schnet.adapter import SchNet, exact_filters, smear
from mekrr.backbones.schnet.convolution import (
    Convolution,
    Neighbours,
    convolution,
    fixed_convolution,
)
from mekrr.backbones.schnet.layers import SchNetLayers
from mekrr.backbones.sparse import State

KNOTS_PER_GAUSSIAN = 5  # filters vary over the width of their Gaussians
KNOTS_FOR_FORCES = 10  # the same, where slopes count
NOTHING = 1e-20  # smaller Gaussians count as 0: products that underflow take a CPU far longer

Sums = Callable[[torch.Tensor], torch.Tensor]  # over neighbours, of each atom


class Head(torch.nn.Module):
    """Interactions and readout of a SchNet, and its embedding unless that is frozen.

    Parameters
    ----------
    model : network that gives the layers; they are not copied.
    frozen : interactions that the trunk keeps, None if it keeps not even the embedding.
    """

    def __init__(self, model: SchNetLayers, frozen: int | None):
        super().__init__()
        self.embedding: Any = model.embedding if frozen is None else None
        self.interactions = model.interactions[frozen or 0 :]
        self.lin1, self.act, self.lin2 = model.lin1, model.act, model.lin2
        self.distance_expansion, self.cutoff = model.distance_expansion, model.cutoff
        width = model.cutoff / (model.num_gaussians - 1)
        self._knots = _Knots(model, width / KNOTS_PER_GAUSSIAN)
        self._knots_for_forces = _Knots(model, width / KNOTS_FOR_FORCES)

    def state(self, graph: AtomGraph) -> State:
        """Return what the head needs of a frame beside its atoms: edges and their knots."""
        atoms = {"n_atoms": graph.n_atoms.int(), "frame": graph.frame.int()}
        return atoms | self._knots.radial.edge_state(graph)

    @staticmethod
    def indices(atoms: str) -> dict[str, str]:
        """Return what the tensors of `state` number; ``atoms`` is one with a row for each atom."""
        return {"frame": "n_atoms", **edge_indices(atoms)}

    def forward(self, state: State) -> torch.Tensor:
        """Return the sum over the atoms of each frame (n_frames,) of the last layer's output."""
        h = state["h"] if self.embedding is None else self.embedding(state["species"])
        sum_up = fixed_convolution(self._knots.radial, state)
        return self._energy(h, self._sums(sum_up, self._knots), state)

    def exact(self, graph: AtomGraph) -> torch.Tensor:
        """Return the same from a graph, the filters' networks evaluated for each edge.

        For a head that keeps the embedding.
        """
        neighbours = Neighbours(graph.centre, graph.neighbour, len(graph.species))
        filters = exact_filters(self, graph.edge_vectors().norm(dim=1))
        return self._of_graph(graph, (partial(neighbours.sums, each) for each in filters))

    def interpolated(self, graph: AtomGraph) -> torch.Tensor:
        """Return the same by interpolated filters, whose slopes differ by some 1e-3."""
        knots = self._knots_for_forces
        return self._of_graph(graph, self._sums(convolution(knots.radial, graph), knots))

    def _of_graph(self, graph: AtomGraph, sums: Iterable[Sums]) -> torch.Tensor:
        atoms = {"n_atoms": graph.n_atoms, "frame": graph.frame}
        return self._energy(self.embedding(graph.species), sums, atoms)

    def _sums(self, sum_up: Convolution, knots: _Knots) -> Iterable[Sums]:
        """Return the sums of each interaction, its filters interpolated."""
        return (
            partial(sum_up, block.mlp(knots.smeared) * knots.envelope)
            for block in self.interactions
        )

    def _energy(self, h: torch.Tensor, sums: Iterable[Sums], atoms: State) -> torch.Tensor:
        """Return energies (n_frames,); ``sums`` are those of each interaction."""
        for block, sum_up in zip(self.interactions, sums, strict=True):
            total = sum_up(block.conv.lin1(h))
            h = h + block.lin(block.act(block.conv.lin2(total)))
        atomic = self.lin2(self.act(self.lin1(h)))[:, 0]
        return atomic.new_zeros(len(atoms["n_atoms"])).index_add(0, atoms["frame"], atomic)


class _Knots(torch.nn.Module):
    """Distances between which filters are interpolated, and what of these no training changes.

    Parameters
    ----------
    model : network that gives the layers.
    spacing : Å.
    """

    smeared: torch.Tensor
    envelope: torch.Tensor

    def __init__(self, model: SchNetLayers, spacing: float):
        super().__init__()
        self.radial = Radial(model.cutoff, spacing)
        smeared, envelope = smear(model, self.radial.knots)
        smeared = smeared * (smeared > NOTHING)
        inside = (self.radial.knots <= model.cutoff)[:, None]
        # Made anew with the head, they are no part of what is saved.
        self.register_buffer("smeared", smeared, persistent=False)
        self.register_buffer("envelope", envelope * inside, persistent=False)


class SchNetFromScratch(Network):
    """A SchNet with random weights, all of which are trained.

    Parameters
    ----------
    name : name in the registry of networks.
    seed : of the weights.
    architecture : arguments of `SchNetLayers`: hidden_channels, num_filters,
        num_interactions, num_gaussians, cutoff (Å).
    """

    start, weights_sha256 = "none", "none"
    indices = Head.indices("species")

    def __init__(self, name: str, seed: int, **architecture: Any):
        self.name = name
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._head = Head(SchNetLayers(**architecture), frozen=None)
        self.species = frozenset(range(1, self._head.embedding.num_embeddings))

    def graph(self, frames: Sequence[Atoms], search: Search = search_pairs) -> AtomGraph:
        return build_graph(frames, self._head.cutoff, search=search)

    def trunk(self, graph: AtomGraph) -> State:
        return self._head.state(graph) | {"species": graph.species.int()}

    def head(self, state: State) -> torch.Tensor:
        return self._head(state)

    def energy(self, graph: AtomGraph) -> torch.Tensor:
        return self._head.exact(graph)

    def energy_to_learn(self, graph: AtomGraph) -> torch.Tensor:
        return self._head.interpolated(graph)

    def module(self) -> torch.nn.Module:
        return self._head

    def to(self, device: torch.device | str) -> SchNetFromScratch:
        self._head.to(device)
        return self


class FineTunedSchNet(SchNet, Network):
    """A pre-trained SchNet whose last interactions and readout are trained.

    Parameters
    ----------
    name : name in the registry of networks.
    start : name of the backbone.
    frozen : number of interactions that stay as they are, the embedding with them.
    weights : checkpoint of the backbone.
    """

    indices = Head.indices("h")

    def __init__(self, name: str, start: str, frozen: int, weights: str | os.PathLike):
        super().__init__(name, weights)
        check_frozen(name, frozen, self.layers)
        self.start, self._frozen = start, frozen
        self._trained = deepcopy(self._model)
        self._head = Head(self._trained, frozen).requires_grad_(True)
        self._whole = Head(self._trained, None)

    def trunk(self, graph: AtomGraph) -> State:
        if self._frozen:
            h = self.forward(graph, [self._frozen], energy=False).layers[self._frozen]
        else:
            h = self._model.embedding(graph.species)
        return self._head.state(graph) | {"h": h, "species": graph.species.int()}

    def head(self, state: State) -> torch.Tensor:
        return self._scaled(self._head(state), state)

    def energy(self, graph: AtomGraph) -> torch.Tensor:
        return self._scaled(self._whole.exact(graph), vars(graph))

    def energy_to_learn(self, graph: AtomGraph) -> torch.Tensor:
        return self._scaled(self._whole.interpolated(graph), vars(graph))

    def _scaled(self, output: torch.Tensor, atoms: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Output of the layers (n_frames,) as energies; ``atoms`` has ``species`` and ``frame``."""
        energy = output * self._std + self._mean
        if self._references is None:
            return energy
        return energy.double().index_add(0, atoms["frame"], self._references[atoms["species"]])

    def module(self) -> torch.nn.Module:
        return self._head

    def to(self, device: torch.device | str) -> FineTunedSchNet:
        super().to(device)
        self._head.to(device)
        self._whole.to(device)
        return self
