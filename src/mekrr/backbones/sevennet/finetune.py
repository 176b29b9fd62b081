"""SevenNet whose last interactions and readout are trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mekrr.backbones.sevennet.quick_import  # noqa: F401

# isort: split
import sevenn._keys as KEY
import torch
from sevenn.nn.convolution import IrrepsConvolution

from mekrr.backbones.frozen import frozen_features
from mekrr.backbones.graph import AtomGraph
from mekrr.backbones.network import Network, check_frozen
from mekrr.backbones.radial import Radial, edge_indices
from mekrr.backbones.sevennet.adapter import SevenNet
from mekrr.backbones.sevennet.convolution import Convolution, edges_of
from mekrr.backbones.sparse import State

KNOT_SPACING = 0.01  # Å; the shortest wave of the radial basis is 1.25 Å long


class FineTunedSevenNet(SevenNet, Network):
    """A SevenNet whose last interactions and readout are trained.

    Parameters
    ----------
    name : name in the registry of networks.
    start : name of the backbone.
    frozen : number of interactions that stay as they are, the embedding with them.
    checkpoint : option of the backbone.
    """

    indices: Mapping[str, str] = {"frame": "n_atoms", **edge_indices("x")}

    def __init__(self, name: str, start: str, frozen: int, checkpoint: str = "7net-0"):
        super().__init__(name, checkpoint)
        check_frozen(name, frozen, self.layers)
        self.start = start
        names = [module for module, _ in self._modules]
        first, inputs = (names.index(f"{t}_self_connection_intro") for t in (frozen, 0))
        self._frozen = [module for _, module in self._modules[:first]]
        self._inputs, self._convolves = self._frozen[:inputs], frozen > 0
        self._trunk = [step for _, step in self._steps[:first]]
        self._trained = torch.nn.ModuleList(m for _, m in self._modules[first:])
        self._trained.requires_grad_(True)
        self._radial = Radial(self._cutoff, KNOT_SPACING)
        basis: Any = self._frozen[0]
        knots = self._radial.knots.clamp(max=self._cutoff)
        self._basis = (basis.basis_function(knots) * basis.cutoff_function(knots)[:, None]).detach()
        self._fast = {
            k: Convolution(module)
            for k, module in enumerate(self._trained)
            if isinstance(module, IrrepsConvolution)
        }

    def trunk(self, graph: AtomGraph) -> State:
        data = self._through_trunk(graph)
        return {
            "n_atoms": graph.n_atoms.int(),
            "frame": graph.frame.int(),
            "type": data[KEY.ATOM_TYPE].int(),
            "x": data[KEY.NODE_FEATURE],
            "harmonics": data[KEY.EDGE_ATTR],
            **self._radial.edge_state(graph),
        }

    def head(self, state: State) -> torch.Tensor:
        data = {
            KEY.NODE_FEATURE: state["x"],
            KEY.ATOM_TYPE: state["type"].long(),
            KEY.BATCH: state["frame"].long(),
        }
        edges = edges_of(state["centre"], state["neighbour"], len(state["x"]))
        radial = self._radial.fixed(state)
        module: Any
        for k, module in enumerate(self._trained):
            fast = self._fast.get(k)
            if fast is None:
                data = module(data)
            else:
                weights = radial(module.weight_nn(self._basis))  # interpolated between knots
                data = fast.of_weights(data, state["harmonics"], weights, edges)
        return data[KEY.PRED_TOTAL_ENERGY].reshape(-1)

    def energy(self, graph: AtomGraph) -> torch.Tensor:
        data = self._data(graph)
        for module in [*self._frozen, *self._trained]:
            data = module(data)
        return data[KEY.PRED_TOTAL_ENERGY].reshape(-1)

    def energy_to_learn(self, graph: AtomGraph) -> torch.Tensor:
        if not self._convolves:
            return self.energy(graph)

        def features(vectors: torch.Tensor) -> torch.Tensor:
            return self._through_trunk(graph, vectors)[KEY.NODE_FEATURE]

        vectors = graph.edge_vectors()
        data = self._data(graph, vectors)
        for module in self._inputs:
            data = module(data)
        data[KEY.NODE_FEATURE] = frozen_features(vectors, features)
        for module in self._trained:
            data = module(data)
        return data[KEY.PRED_TOTAL_ENERGY].reshape(-1)

    def _through_trunk(
        self, graph: AtomGraph, vectors: torch.Tensor | None = None
    ) -> dict[str, Any]:
        data = self._data(graph, vectors)
        for step in self._trunk:
            data = step(data)
        return data

    def module(self) -> torch.nn.Module:
        return self._trained

    def to(self, device: torch.device | str) -> FineTunedSevenNet:
        super().to(device)
        self._trained.to(device)
        self._basis = self._basis.to(device)
        return self

    def double(self) -> FineTunedSevenNet:
        super().double()
        self._basis = self._basis.double()
        return self
