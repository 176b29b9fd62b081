"""Frames to learn from or to be tested on: their states and what is to be learnt of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms

from mekrr.backbones.network import Network
from mekrr.models.network.states import States
from mekrr.models.problem import Problem


@dataclass(frozen=True)
class Sample:
    """Some frames of a data set.

    Attributes
    ----------
    states : of the whole data set.
    index : (n,) the frames' positions in it.
    target : (n,) energies less their references in eV.
    n_atoms : (n,) atoms of each frame.
    frames : the frames themselves, where forces are learnt, else none.
    """

    states: States
    index: np.ndarray
    target: np.ndarray
    n_atoms: np.ndarray
    frames: Sequence[Atoms] = ()

    @classmethod
    def of(
        cls,
        states: States,
        problem: Problem,
        part: str | None = None,
        frames: Sequence[Atoms] | None = None,
    ) -> Sample:
        """Take the frames of one part of a problem, or all.

        ``states`` and ``frames`` are those of the whole data set, which a problem's table numbers
        as ``index``.
        """
        members = np.arange(len(problem.split)) if part is None else problem.members(part)
        index = problem.frames["index"].to_numpy()[members]
        own = () if frames is None else [frames[k] for k in index]
        return cls(states, index, problem.residual[members], problem.n_atoms[members], own)

    def __len__(self) -> int:
        return len(self.index)

    def checksum(self) -> str:
        """Of the frames, their energies, and the states made of them."""
        digest = hashlib.sha256(repr(sorted(self.states.identity.items())).encode())
        for values in (self.index, self.target, self.n_atoms):
            digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """Members in order, ``size`` at a time."""
        return iter(np.split(np.arange(len(self)), range(size, len(self), size)))

    def output(self, network: Network, members: np.ndarray, device: torch.device) -> torch.Tensor:
        """What the network makes of some frames beyond what it started with, (n,) float64.

        In eV, or for random weights, which start with nothing, in no unit.
        """
        chosen = self.index[members]
        output = network.head(self.states.batch(chosen, network.indices, device)).double()
        return output - self.start(network, members).to(device)

    def start(self, network: Network, members: np.ndarray) -> torch.Tensor:
        """(n,) what the network started with on some frames."""
        energy = torch.from_numpy(self.states.start_energy[self.index[members]])
        return energy if network.start != "none" else torch.zeros_like(energy)
