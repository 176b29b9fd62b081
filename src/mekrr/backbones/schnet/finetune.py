"""SchNet: from random weights, or from pre-trained ones with its first layers frozen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from ase import Atoms

from mekrr.backbones.graph import AtomGraph, Search, build_graph, search_pairs
from mekrr.backbones.network import Network, check_frozen
from mekrr.backbones.radial import Radial
from mekrr.backbones.rows import add_up, gather, grouping, grouping_indices
from mekrr.backbones.schnet.adapter import SchNet, exact_filters
from mekrr.backbones.schnet.convolution import convolution
from mekrr.backbones.schnet.layers import SchNetLayers
from mekrr.backbones.sparse import State, sparse_product

KNOTS_PER_GAUSSIAN = 5  # filters vary over the width of their Gaussians
KNOTS_FOR_FORCES = 10  # the same, where slopes count

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
        self._radial = Radial(model.cutoff, width / KNOTS_PER_GAUSSIAN)
        self._radial_for_forces = Radial(model.cutoff, width / KNOTS_FOR_FORCES)

    def state(self, graph: AtomGraph) -> State:
        """Return what the head needs of a frame beside its atoms: pairs of atoms and their filters.

        Edges to several images of a neighbour are one pair, with the sum of their filters.
        """
        n_atoms = len(graph.species)
        pairs, row = torch.unique(graph.centre * n_atoms + graph.neighbour, return_inverse=True)
        distance = graph.edge_vectors().norm(dim=1)
        return {
            "n_atoms": graph.n_atoms.int(),
            "frame": graph.frame.int(),
            **_edges(pairs // n_atoms, pairs % n_atoms, n_atoms),
            **self._radial.state("filter", distance, row, len(pairs)),
        }

    @staticmethod
    def indices(atoms: str) -> dict[str, str]:
        """Return what the tensors of `state` number; ``atoms`` is one with a row for each atom."""
        return {
            "frame": "n_atoms",
            **grouping_indices("centre", atoms),
            **grouping_indices("neighbour", atoms),
            **Radial.indices("filter", "centre"),
        }

    def forward(self, state: State) -> torch.Tensor:
        """Return the sum over the atoms of each frame (n_frames,) of the last layer's output."""
        sums = (
            partial(_sums, state, sparse_product(state, "filter", knots))
            for knots in self._filters_at(self._radial)
        )
        h = state["h"] if self.embedding is None else self.embedding(state["species"])
        return self._energy(h, sums, state)

    def exact(self, graph: AtomGraph) -> torch.Tensor:
        """Return the same from a graph, the filters' networks evaluated for each edge.

        For a head that keeps the embedding.
        """
        edges = _edges(graph.centre, graph.neighbour, len(graph.species))
        filters = exact_filters(self, graph.edge_vectors().norm(dim=1))
        return self._of_graph(graph, (partial(_sums, edges, each) for each in filters))

    def interpolated(self, graph: AtomGraph) -> torch.Tensor:
        """Return the same by interpolated filters, whose slopes differ by some 1e-3."""
        sum_up = convolution(self._radial_for_forces, graph)
        filters = self._filters_at(self._radial_for_forces)
        return self._of_graph(graph, (partial(sum_up, each) for each in filters))

    def _of_graph(self, graph: AtomGraph, sums: Iterable[Sums]) -> torch.Tensor:
        atoms = {"n_atoms": graph.n_atoms, "frame": graph.frame}
        return self._energy(self.embedding(graph.species), sums, atoms)

    def _filters_at(self, radial: Radial) -> Iterator[torch.Tensor]:
        """Yield the filters of each interaction at the knots, 0 beyond the cutoff."""
        knots = radial.knots.to(self.lin1.weight.device)
        inside = (knots <= self.cutoff).to(self.lin1.weight)[:, None]
        return (filters * inside for filters in exact_filters(self, knots))

    def _energy(self, h: torch.Tensor, sums: Iterable[Sums], atoms: State) -> torch.Tensor:
        """Return energies (n_frames,); ``sums`` are those of each interaction."""
        for block, sum_up in zip(self.interactions, sums, strict=True):
            total = sum_up(block.conv.lin1(h))
            h = h + block.lin(block.act(block.conv.lin2(total)))
        atomic = self.lin2(self.act(self.lin1(h)))[:, 0]
        return atomic.new_zeros(len(atoms["n_atoms"])).index_add(0, atoms["frame"], atomic)


def _sums(edges: State, filters: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the sums over neighbours (n_atoms, d) of x (n_atoms, d) times filters (n_edges, d)."""
    return add_up(edges, "centre", gather(edges, "neighbour", x) * filters)


def _edges(centre: torch.Tensor, neighbour: torch.Tensor, n_atoms: int) -> State:
    """Return both ends of edges, or of pairs of atoms."""
    return grouping("centre", centre, n_atoms) | grouping("neighbour", neighbour, n_atoms)


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
        self._trained.to(device)
        return self
