"""SevenNet as torch compiles it, for engines without Python."""

# TorchScript reads annotations: no `from __future__ import annotations` here.
from collections.abc import Mapping, Sequence
from copy import deepcopy

import mekrr.backbones.sevennet.quick_import  # noqa: F401

# isort: split
import e3nn.util.jit
import sevenn._keys as KEY
import torch
from sevenn.nn.convolution import IrrepsConvolution
from sevenn.nn.linear import AtomReduce
from sevenn.nn.node_embedding import OnehotEmbedding

from mekrr.backbones.scripted import ScriptedBackbone
from mekrr.backbones.sevennet.invariants import invariants

Channels = tuple[int, list[tuple[int, int]]]  # of which `invariants` takes what it says


class ScriptedSevenNet(ScriptedBackbone):
    """SevenNet's own modules, up to the last that is wanted.

    Parameters
    ----------
    modules : all of them by name, in order. They stay as they are.
    gates : layers by the name of the module after which their features are taken.
    channels : by layer.
    index_of : number of each element in the network.
    cutoff : Å.
    layers, energy : see `Backbone.scripted`.
    """

    wanted: list[int]
    taken: list[int]
    scalars: dict[int, int]
    others: dict[int, list[tuple[int, int]]]
    index_of: torch.Tensor

    def __init__(
        self,
        modules: Sequence[tuple[str, torch.nn.Module]],
        gates: Mapping[str, int],
        channels: Mapping[int, Channels],
        index_of: torch.Tensor,
        cutoff: float,
        layers: Sequence[int],
        energy: bool,
    ):
        super().__init__()
        # One is done here, as it knows float32 alone; the last adds up the energies of atoms.
        steps = [
            (name, module)
            for name, module in modules
            if not isinstance(module, OnehotEmbedding | AtomReduce)
        ]
        (one_hot,) = (module for _, module in modules if isinstance(module, OnehotEmbedding))
        taken = [gates.get(name, -1) for name, _ in steps]
        if not energy:
            del steps[max(map(taken.index, layers)) + 1 :]
        self.wanted, self.taken = list(layers), taken[: len(steps)]
        self.scalars = {layer: channels[layer][0] for layer in layers}
        self.others = {layer: channels[layer][1] for layer in layers}
        self.n_species, self.energy = int(one_hot.num_classes), energy
        convolutions = sum(isinstance(module, IrrepsConvolution) for _, module in steps)
        self.cutoff, self.reach = cutoff, cutoff * convolutions
        (self.dtype,) = {p.dtype for _, module in steps for p in module.parameters()}
        self.register_buffer("index_of", index_of.clone())
        # e3nn has a way of its own to compile its modules, which it calls for.
        self.steps = torch.nn.ModuleList(
            [e3nn.util.jit.compile(deepcopy(module)) for _, module in steps]
        )

    def forward(
        self,
        species: torch.Tensor,
        centre: torch.Tensor,
        neighbour: torch.Tensor,
        vectors: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Do as `ScriptedBackbone.forward` says."""
        index = self.index_of[species]
        one_hot = torch.nn.functional.one_hot(index, self.n_species).to(self.dtype)
        data = {
            KEY.ATOM_TYPE: index,
            KEY.NODE_ATTR: one_hot,
            KEY.NODE_FEATURE: one_hot,
            KEY.EDGE_IDX: torch.stack([centre, neighbour]),
            KEY.EDGE_VEC: vectors.to(self.dtype),
        }
        found: dict[int, torch.Tensor] = {}
        for k, step in enumerate(self.steps):
            data = step(data)
            layer = self.taken[k]
            if layer in self.scalars:
                channels = data[KEY.NODE_FEATURE]
                found[layer] = invariants(channels, self.scalars[layer], self.others[layer])
        features = torch.cat([found[layer] for layer in self.wanted], dim=1)
        energies = features.new_zeros(0)
        if self.energy:
            energies = data[KEY.ATOMIC_ENERGY].reshape(-1)
        return features, energies
