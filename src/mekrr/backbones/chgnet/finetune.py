"""CHGNet whose last convolutions and readout are trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import torch
from chgnet.model.layers import AngleUpdate, AtomConv, BondConv

from mekrr.backbones.chgnet.adapter import CHGNetBackbone
from mekrr.backbones.graph import AtomGraph
from mekrr.backbones.network import Network, check_frozen
from mekrr.backbones.rows import add_up, gather, grouping, grouping_indices
from mekrr.backbones.sparse import State

# Groupings, and the tensors of a state whose rows they group.
BONDS = {"first": "h", "second": "h"}
ANGLES = {"corner": "h", "leg": "bond", "other_leg": "bond"}
ANGLE_INPUTS = [("bond", "leg"), ("bond", "other_leg"), ("angle", None), ("h", "corner")]


class FineTunedCHGNet(CHGNetBackbone, Network):
    """A CHGNet whose last atom convolutions, what lies between them, and readout are trained.

    Parameters
    ----------
    name : name in the registry of networks.
    start : name of the backbone.
    frozen : number of atom convolutions that stay as they are, with the embeddings and the
        updates of bonds and angles after each of them.
    """

    def __init__(self, name: str, start: str, frozen: int):
        super().__init__(name)
        check_frozen(name, frozen, self.layers)
        self.start, self._n_frozen = start, frozen
        self._trunk = _layers(self._model, 0, frozen)
        self._trained: Any = deepcopy(self._model)
        self._head: Any = _layers(self._trained, frozen, len(self.layers))
        self._head["norm"], self._head["readout"] = self._trained.readout_norm, self._trained.mlp
        self._head.requires_grad_(True)
        self.indices = {"frame": "n_atoms"}
        for name, of in (BONDS | ANGLES if self._head["bonds"] else BONDS).items():
            self.indices |= grouping_indices(name, of)

    def trunk(self, graph: AtomGraph) -> State:
        model, g = self._model, self._batched_graph(graph)
        n_atoms, n_bonds = len(graph.species), len(graph.centre)
        state = {
            "n_atoms": graph.n_atoms.int(),
            "frame": graph.frame.int(),
            "reference": self._reference_energy(graph),
            "h": model.atom_embedding(g.atomic_numbers - 1),
            "bond": model.bond_embedding(g.bond_bases_ag),
            "bond_weight": model.bond_weights_ag(g.bond_bases_ag),
            **grouping("first", graph.centre, n_atoms),
            **grouping("second", graph.neighbour, n_atoms),
        }
        corner, leg, other_leg = g.batched_bond_graph.long().unbind(1)
        angles = {
            "angle": model.angle_embedding(g.angle_bases),
            "leg_weight": model.bond_weights_bg(g.bond_bases_bg),
            **grouping("corner", corner, n_atoms),
            **grouping("leg", leg, n_bonds),
            **grouping("other_leg", other_leg, n_bonds),
        }
        state = _advance(self._trunk, state | angles)
        kept = state.keys() if self._head["bonds"] else state.keys() - angles.keys()
        return {name: state[name] for name in kept}

    def head(self, state: State) -> torch.Tensor:
        h = self._head["norm"](_advance(self._head, state)["h"])
        atomic = self._head["readout"](h)[:, 0]
        return state["reference"].index_add(0, state["frame"], atomic)

    def energy(self, graph: AtomGraph) -> torch.Tensor:
        return self.head(self.trunk(graph))

    def module(self) -> torch.nn.Module:
        return self._head

    def to(self, device: torch.device | str) -> FineTunedCHGNet:
        super().to(device)
        self._trained.to(device)
        return self


def _layers(model: torch.nn.Module, begin: int, end: int) -> torch.nn.ModuleDict:
    """Return layers ``begin`` to ``end``; what the last ones do to bonds enters nothing."""
    parts: Any = model
    last = len(parts.atom_conv_layers) - 1
    return torch.nn.ModuleDict(
        {
            "atoms": parts.atom_conv_layers[begin:end],
            "bonds": parts.bond_conv_layers[begin : min(end, last)],
            "angles": parts.angle_layers[begin : min(end, last - 1)],
        }
    )


def _advance(layers: Any, state: State) -> State:
    """Return the state after some layers."""
    state = dict(state)
    for k, atoms in enumerate(layers["atoms"]):
        state["h"] = _update_atoms(atoms, state)
        if k < len(layers["bonds"]):
            state["bond"] = _update_bonds(layers["bonds"][k], state)
        if k < len(layers["angles"]):
            state["angle"] = _update_angles(layers["angles"][k], state)
    return state


def _update_atoms(layer: AtomConv, state: State) -> torch.Tensor:
    """Send messages along bonds: first all from one side, then all from the other."""
    sides = [
        _gated(layer.twoBody_atom, state, [("h", centre), ("bond", None), ("h", neighbour)])
        for centre, neighbour in (("first", "second"), ("second", "first"))
    ]
    first, second = (side * state["bond_weight"] for side in sides)
    return state["h"] + layer.mlp_out(
        add_up(state, "first", first) + add_up(state, "second", second)
    )


def _update_bonds(layer: BondConv, state: State) -> torch.Tensor:
    message = _gated(layer.twoBody_bond, state, ANGLE_INPUTS)
    for leg in ("leg", "other_leg"):
        message = message * gather(state, leg, state["leg_weight"])
    return state["bond"] + layer.mlp_out(add_up(state, "leg", message))


def _update_angles(layer: AngleUpdate, state: State) -> torch.Tensor:
    return state["angle"] + _gated(layer.twoBody_bond, state, ANGLE_INPUTS)


def _gated(module: Any, state: State, inputs: Sequence[tuple[str, str | None]]) -> torch.Tensor:
    """Apply CHGNet's gated perceptron to features side by side.

    Its first layer is linear: it is applied to the features of atoms and bonds, of which there
    are fewer than of rows, before they are gathered.

    Parameters
    ----------
    module : a `chgnet.model.functions.GatedMLP`.
    inputs : tensors of features (m, d) of the state and the grouping by which each of n results
        takes one of their rows, None if there are as many.
    """
    core, gate = (
        [layer for layer in mlp.layers if not isinstance(layer, torch.nn.Dropout)]
        for mlp in (module.mlp_core, module.mlp_gate)
    )
    widths = [state[features].shape[1] for features, _ in inputs]
    weights = torch.cat([core[0].weight, gate[0].weight]).split(widths, dim=1)
    total = torch.cat([core[0].bias, gate[0].bias])
    for (features, rows), weight in zip(inputs, weights, strict=True):
        part = state[features] @ weight.T
        total = total + (part if rows is None else gather(state, rows, part))
    first, second = total.chunk(2, dim=1)
    first = module.activation(module.bn1(_apply(core[1:], first)))
    return first * module.sigmoid(module.bn2(_apply(gate[1:], second)))


def _apply(layers: Iterable[torch.nn.Module], x: torch.Tensor) -> torch.Tensor:
    for layer in layers:
        x = layer(x)
    return x
