"""Neighbour lists of several frames as one graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms
from vesin import NeighborList


@dataclass
class AtomGraph:
    """Frames side by side: atoms flat, edges within a cutoff.

    Attributes
    ----------
    positions : (n_atoms, 3) float64, Å. Set ``requires_grad`` to differentiate.
    species : (n_atoms,) int64, atomic numbers.
    frame : (n_atoms,) int64, frame of each atom.
    n_atoms : (n_frames,) int64, atoms of each frame.
    centre, neighbour : (n_edges,) int64, atoms at the two ends of each edge.
    shift : (n_edges, 3) float64, Å, translation of the neighbour's periodic image.
    """

    positions: torch.Tensor
    species: torch.Tensor
    frame: torch.Tensor
    n_atoms: torch.Tensor
    centre: torch.Tensor
    neighbour: torch.Tensor
    shift: torch.Tensor

    def edge_vectors(self) -> torch.Tensor:
        """Return vectors (n_edges, 3), Å, from centre to neighbour, differentiable in positions."""
        return self.positions[self.neighbour] - self.positions[self.centre] + self.shift

    def to(self, device: torch.device | str) -> AtomGraph:
        """Return the same graph on another device."""
        return AtomGraph(**{name: value.to(device) for name, value in vars(self).items()})


def build_graph(frames: Sequence[Atoms], cutoff: float, half: bool = False) -> AtomGraph:
    """Return neighbour lists of ``frames`` within ``cutoff`` (Å), periodic images included.

    Each pair stands twice, once from either end, or once if ``half``.
    """
    search = NeighborList(cutoff=cutoff, full_list=not half, sorted=True, n_threads=1)
    centres, neighbours, shifts, offset = [], [], [], 0
    for atoms in frames:
        cell = atoms.cell.complete().array
        i, j, images = search.compute(atoms.positions, cell, atoms.pbc, "ijS")
        centres.append(np.asarray(i, dtype=np.int64) + offset)
        neighbours.append(np.asarray(j, dtype=np.int64) + offset)
        shifts.append(np.asarray(images, dtype=float) @ cell)
        offset += len(atoms)
    n_atoms = np.array([len(atoms) for atoms in frames])
    return AtomGraph(
        positions=torch.from_numpy(np.concatenate([atoms.positions for atoms in frames])),
        species=torch.from_numpy(
            np.concatenate([atoms.numbers for atoms in frames]).astype(np.int64)
        ),
        frame=torch.from_numpy(np.repeat(np.arange(len(frames)), n_atoms)),
        n_atoms=torch.from_numpy(n_atoms),
        centre=torch.from_numpy(np.concatenate(centres)),
        neighbour=torch.from_numpy(np.concatenate(neighbours)),
        shift=torch.from_numpy(np.concatenate(shifts)),
    )
