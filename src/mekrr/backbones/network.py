"""The contract of a network that is trained: a frozen trunk, and a head."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence

import torch
from ase import Atoms

from mekrr.backbones.base import KnowsSpecies
from mekrr.backbones.graph import AtomGraph, Search, search_pairs
from mekrr.backbones.sparse import State
from mekrr.errors import ConfigError


class Network(KnowsSpecies, abc.ABC):
    """Layers that stay as they are, the trunk, then layers that are trained, the head.

    Attributes
    ----------
    start : backbone whose weights it begins with, "none" for random ones.
    weights_sha256 : checksum of the weights that it begins with, "none" for random ones.
    indices : tensors of a state that number the rows of others, see `collate`.
    """

    start: str
    weights_sha256: str
    indices: Mapping[str, str]

    @abc.abstractmethod
    def graph(self, frames: Sequence[Atoms], search: Search = search_pairs) -> AtomGraph:
        """Build the graph of ``frames`` as this network wants it; ``search`` finds the pairs."""

    @abc.abstractmethod
    def trunk(self, graph: AtomGraph) -> State:
        """Compute what the head needs of one frame: tensors of float32 and int32 by name."""

    @abc.abstractmethod
    def head(self, state: State) -> torch.Tensor:
        """Compute the energy (n_frames,) of states: in eV, or for random weights in no unit."""

    @abc.abstractmethod
    def energy(self, graph: AtomGraph) -> torch.Tensor:
        """Compute the same energy, to be differentiated in positions and then in weights.

        Without the shortcuts that frozen layers and fixed positions allow.
        """

    def energy_to_learn(self, graph: AtomGraph) -> torch.Tensor:
        """Compute the same energy, to learn forces; faster where a network knows how.

        Gradients of its slopes in weights are those of `energy` up to central differences, see
        `mekrr.backbones.frozen`, or to interpolation, see `mekrr.backbones.radial`.
        """
        return self.energy(graph)

    @abc.abstractmethod
    def module(self) -> torch.nn.Module:
        """Return the head's weights; those that are trained require a gradient."""

    @abc.abstractmethod
    def to(self, device: torch.device | str) -> Network:
        """Move the weights to ``device``; return self."""


def check_frozen(name: str, frozen: int, layers: Sequence[int]) -> None:
    """Raise a ConfigError unless a head is left to train beyond ``frozen`` of the layers."""
    if not 0 <= frozen < len(layers):
        raise ConfigError(
            f"network {name!r}: frozen={frozen} of {len(layers)} layers leaves none to train; "
            f"choose 0 to {len(layers) - 1}"
        )
