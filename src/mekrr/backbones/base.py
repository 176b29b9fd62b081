"""The contract that every backbone adapter fulfils."""

from __future__ import annotations

import abc
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from ase import Atoms
from ase.data import chemical_symbols

from mekrr.backbones.graph import AtomGraph, Search, search_pairs
from mekrr.errors import BackboneError

if TYPE_CHECKING:
    from mekrr.backbones.scripted import ScriptedBackbone


@dataclass
class BackboneOutput:
    """What one forward pass yields.

    Attributes
    ----------
    layers : dict from layer to (n_atoms, d) features, invariant under rotation.
    energy : (n_frames,) the network's own total energy in eV, or None if it has none or none was
        asked for.
    atomic_energy : (n_atoms,) the parts of it in eV, or None if it has none.
    """

    layers: dict[int, torch.Tensor]
    energy: torch.Tensor | None = None
    atomic_energy: torch.Tensor | None = None


class KnowsSpecies:
    """What has a name, and knows some elements.

    Attributes
    ----------
    name : name in the registry. species : atomic numbers.
    """

    name: str
    species: frozenset[int]

    def check_species(self, frames: Sequence[Atoms], source: str) -> None:
        """Raise a BackboneError for the first frame with an element unknown to the network."""
        for index, atoms in enumerate(frames):
            unknown = sorted(set(atoms.numbers.tolist()) - self.species)
            if unknown:
                symbols = ", ".join(chemical_symbols[z] for z in unknown)
                raise BackboneError(
                    f"{source}: frame {frame_number(atoms, index)}: backbone {self.name!r} does "
                    f"not know {symbols}; choose another backbone for this data set or remove the "
                    "frame"
                )


class Backbone(KnowsSpecies, abc.ABC):
    """A frozen pre-trained network: atoms in, features per layer and atom out.

    Attributes
    ----------
    layers : the layers on offer, numbered as the network's authors do.
    weights_sha256 : checksum of the weights' file, "none" for a backbone without.
    has_energy : whether the network predicts energies.
    runs_on_gpu : whether it has a GPU path; one without runs on the CPU, with a notice.
    cpu_batch : frames per forward pass that cost the least time per frame on a CPU.
    provenance : how the weights came about, as their file says; empty where it does not.
    """

    layers: tuple[int, ...]
    weights_sha256: str
    has_energy: bool
    runs_on_gpu: bool = True
    cpu_batch: int = 1  # intermediate results of one frame just stay in the cache
    provenance: Mapping[str, Any] = MappingProxyType({})

    @abc.abstractmethod
    def graph(self, frames: Sequence[Atoms], search: Search = search_pairs) -> AtomGraph:
        """Build the graph of ``frames`` as this network wants it; ``search`` finds the pairs."""

    @abc.abstractmethod
    def forward(
        self, graph: AtomGraph, layers: Collection[int] | None = None, energy: bool = True
    ) -> BackboneOutput:
        """Compute features and the energy, differentiable in positions and strain of the graph.

        Parameters
        ----------
        layers : those wanted; None for all.
        energy : whether the energy is wanted. Without it, nothing beyond the deepest layer wanted
            is computed.
        """

    @abc.abstractmethod
    def to(self, device: torch.device | str) -> Backbone:
        """Move the weights to ``device``; return self. Graphs have to be there too."""

    @abc.abstractmethod
    def double(self) -> Backbone:
        """Compute in float64 from here on; return self."""

    def scripted(self, layers: Sequence[int], energy: bool) -> ScriptedBackbone:
        """Return a copy that torch compiles, for engines without Python.

        Parameters
        ----------
        layers : whose features are wanted, side by side in this order.
        energy : whether the energies of atoms are wanted too.

        Raises
        ------
        BackboneError
            If the network cannot be compiled.
        """
        raise BackboneError(
            f"backbone {self.name!r} cannot be compiled for engines; fit on sevennet-0 or another "
            "SevenNet, or use mekrr.Calculator"
        )


def frame_number(atoms: Atoms, index: int) -> int:
    """Return a frame's own number, else ``index``, which counts within a shard."""
    return atoms.info.get("frame", index)
