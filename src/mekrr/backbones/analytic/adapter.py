"""An analytic backbone without weights: for tests and for trying out the workflow."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from ase import Atoms

from mekrr.backbones.base import Backbone, BackboneOutput
from mekrr.backbones.graph import AtomGraph, Search, build_graph, search_pairs


class AnalyticBackbone(Backbone):
    """Gaussian radial densities of the neighbours, weighted by functions of their species.

    Layer 1 describes an atom's neighbours; layer 2 sums layer 1 over the neighbours, as
    a second message-passing step would.
    """

    layers = (1, 2)
    species = frozenset(range(1, 119))
    weights_sha256 = "none"
    has_energy = False

    cutoff = 4.0  # Å
    n_radial = 8

    def __init__(self, name: str):
        self.name = name

    def graph(self, frames: Sequence[Atoms], search: Search = search_pairs) -> AtomGraph:
        return build_graph(frames, self.cutoff, search=search)

    def forward(
        self, graph: AtomGraph, layers: Collection[int] | None = None, energy: bool = True
    ) -> BackboneOutput:
        distance = graph.edge_vectors().norm(dim=1)
        centres = torch.linspace(0.8, self.cutoff, self.n_radial).to(distance)
        envelope = (1 - (distance / self.cutoff) ** 2) ** 3
        radial = envelope[:, None] * torch.exp(-4.0 * (distance[:, None] - centres) ** 2)
        weight = torch.stack([torch.cos(0.3 * graph.species), torch.sin(0.7 * graph.species)], 1)
        message = radial[:, :, None] * weight.to(radial)[graph.neighbour][:, None, :]
        found = {1: self._gather(graph, message.flatten(1))}
        if layers is None or 2 in layers:
            neighbour = torch.tanh(found[1][graph.neighbour])
            found[2] = self._gather(graph, envelope[:, None] * neighbour)
        return BackboneOutput({t: h for t, h in found.items() if layers is None or t in layers})

    def to(self, device: torch.device | str) -> AnalyticBackbone:
        return self

    def double(self) -> AnalyticBackbone:
        return self  # it computes in the precision of the graph, which is float64

    @staticmethod
    def _gather(graph: AtomGraph, message: torch.Tensor) -> torch.Tensor:
        total = message.new_zeros(len(graph.species), message.shape[1])
        return total.index_add(0, graph.centre, message)
