"""SchNet, as trained by the Open Catalyst Project (OC20) or by this project.

Equations: Schütt et al., SchNet, J. Chem. Phys. 148, 241722 (2018), with the cosine cutoff
and the Gaussian smearing of torch_geometric.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from ase import Atoms

from mekrr.backbones.base import Backbone, BackboneOutput
from mekrr.backbones.graph import AtomGraph, Search, build_graph, search_pairs
from mekrr.backbones.schnet.files import open_weights
from mekrr.backbones.schnet.tabulated import HermiteTable
from mekrr.files import sha256

TIE = 1e-6  # Å, distances that round to the same multiple are equal
EDGES_AT_ONCE = 2600  # on a CPU; about one frame of 52 atoms
TABLE_TOLERANCE = 1e-5  # of the largest value of each filter


class SchNet(Backbone):
    """Layers 1…n: atom features after each interaction.

    With neighbours j of atom i at distances d_ij, filters W_t and the shifted softplus s,

        h_i ← h_i + B_t s(A_t Σ_j (V_t h_j) ⊙ W_t(d_ij) + a_t) + b_t.

    Of OC20's an atom has as neighbours the 50 atoms nearest to it, periodic images included, of
    those within the cutoff. Where there are more, features jump as two atoms at that border
    change places. This project's own have all within the cutoff. The weights are frozen: a network
    trained further is another file.

    Parameters
    ----------
    name : name in the registry.
    weights : file of weights, see `open_weights`.
    exact : evaluate the filters' networks for each edge instead of interpolating them.

    Raises
    ------
    BackboneError
        If the file is missing, damaged, holds more than tensors and plain values, or is
        not a SchNet that this adapter can reproduce.
    """

    has_energy = True
    cpu_batch = 8  # each pass reads all weights, 30 MB of OC20's, from main memory

    def __init__(self, name: str, weights: str | os.PathLike, exact: bool = False):
        self.name = name
        opened = open_weights(weights)
        self._model: Any = opened.model
        self._mean, self._std = opened.mean, opened.std
        self._references, self._most = opened.references, opened.most_neighbours
        self._exact, self._weights = exact, weights
        self._packed = _packed(self._model)
        self.layers = tuple(range(1, self._model.num_interactions + 1))
        self.species, self.provenance = opened.species, opened.provenance
        self.weights_sha256 = sha256(weights)

    def graph(self, frames: Sequence[Atoms], search: Search = search_pairs) -> AtomGraph:
        graph = build_graph(frames, self._model.cutoff, search=search)
        return graph if self._most is None else nearest_neighbours(graph, self._most)

    def forward(
        self, graph: AtomGraph, layers: Collection[int] | None = None, energy: bool = True
    ) -> BackboneOutput:
        model = self._model
        distance = graph.edge_vectors().norm(dim=1)
        # In parts, so that filters and messages stay in the processor's cache; a GPU wants all.
        n_edges = max(len(distance), 1)
        at_once = EDGES_AT_ONCE if distance.is_cpu else n_edges
        parts = [slice(start, start + at_once) for start in range(0, n_edges, at_once)]
        filters = [self._filters(distance[part]) for part in parts]
        h = model.embedding(graph.species)
        wanted = self.layers if layers is None else layers
        found: dict[int, torch.Tensor] = {}
        for number, block in zip(self.layers, model.interactions, strict=True):
            source = self._linear(block.conv.lin1, h)
            total = torch.zeros_like(source)
            for part, filters_of_part in zip(parts, filters, strict=True):
                message = source.index_select(0, graph.neighbour[part]) * next(filters_of_part)
                total = total.index_add(0, graph.centre[part], message)
            h = h + self._linear(block.lin, block.act(self._linear(block.conv.lin2, total)))
            if number in wanted:
                found[number] = h
            if not energy and len(found) == len(wanted):
                return BackboneOutput(found)
        atomic = model.lin2(model.act(self._linear(model.lin1, h)))[:, 0]
        atomic = atomic * self._std
        if self._references is not None:
            atomic = atomic + self._references[graph.species]
        total = atomic.new_zeros(len(graph.n_atoms)).index_add(0, graph.frame, atomic)
        # A mean of frames is no atom's.
        return BackboneOutput(found, total + self._mean, atomic if self._mean == 0 else None)

    def to(self, device: torch.device | str) -> SchNet:
        self._model.to(device)
        if self._references is not None:
            self._references = self._references.to(device)
        return self

    def double(self) -> SchNet:
        self._model.double()
        return self

    def _filters(self, distance: torch.Tensor) -> Iterator[torch.Tensor]:
        if self._exact:
            return exact_filters(self._model, distance)
        if not hasattr(self._model, "table"):  # not needed where the last layers are trained
            with torch.inference_mode(False):  # else no later pass could be differentiated
                # Inside the model, it moves and converts with the weights.
                self._model.table = self._table()
        return self._model.table(distance)

    def _table(self) -> HermiteTable:
        precise, own = deepcopy(self._model).double().cpu(), self._model.lin1.weight
        return HermiteTable(
            lambda distance: exact_filters(precise, distance),
            precise.cutoff,
            TABLE_TOLERANCE,
            str(self._weights),
        ).to(own.device, own.dtype)

    def _linear(self, layer: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
        """Apply ``layer``; by oneDNN where it can, on AMD processors twice as fast as MKL."""
        if layer not in self._packed or x.requires_grad or x.dtype != torch.float32 or not x.is_cpu:
            return layer(x)
        weight, bias = self._packed[layer]
        return torch.nn.functional.linear(x.to_mkldnn(), weight, bias).to_dense()


def exact_filters(model: Any, distance: torch.Tensor) -> Iterator[torch.Tensor]:
    """Return filters (n_edges, num_filters) of each interaction at ``distance`` (n_edges,), Å.

    W_t(d) = MLP_t(exp(-(d - μ)² / 2Δ²)) (cos(π d / cutoff) + 1) / 2, with Gaussians at
    centres μ that are Δ apart. ``model`` has the layers of a `SchNetLayers`.
    """
    smeared, envelope = smear(model, distance)
    return (block.mlp(smeared) * envelope for block in model.interactions)


def smear(model: Any, distance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what of filters no training changes.

    The Gaussians (n_edges, num_gaussians), and what falls to 0 at the cutoff, (n_edges, 1).
    """
    distance = distance.to(model.lin1.weight.dtype)
    envelope = 0.5 * (torch.cos(distance * (math.pi / model.cutoff)) + 1)
    return model.distance_expansion(distance), envelope[:, None]


def nearest_neighbours(graph: AtomGraph, most: int) -> AtomGraph:
    """Return ``graph`` with no more than the ``most`` nearest neighbours of each atom.

    Edges are sorted by centre, then distance, then neighbour, then the x, y and z of the
    image's translation. Distances are compared as multiples of ``TIE``, so that among
    symmetric neighbours rounding does not choose.
    """
    distance = np.round(graph.edge_vectors().norm(dim=1).numpy() / TIE)
    x, y, z = graph.shift.numpy().T
    order = np.lexsort((z, y, x, graph.neighbour, distance, graph.centre))
    centre = graph.centre.numpy()[order]
    rank = np.arange(len(order)) - np.searchsorted(centre, centre)
    kept = torch.from_numpy(order[rank < most])
    return replace(
        graph,
        centre=graph.centre[kept],
        neighbour=graph.neighbour[kept],
        shift=graph.shift[kept],
    )


def _packed(
    model: torch.nn.Module,
) -> dict[torch.nn.Linear, tuple[torch.Tensor, torch.Tensor | None]]:
    """Return weights and biases of linear layers as oneDNN keeps them; empty without oneDNN."""
    if not torch.backends.mkldnn.is_available():
        return {}
    return {
        layer: (layer.weight.to_mkldnn(), None if layer.bias is None else layer.bias.to_mkldnn())
        for layer in model.modules()
        if isinstance(layer, torch.nn.Linear)
    }
