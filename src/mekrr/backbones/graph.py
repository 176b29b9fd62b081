"""Neighbour lists of several frames as one graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from ase import Atoms
from vesin import NeighborList

# Finds the pairs of a frame within a cutoff in Å, each once if asked by half: atoms i and j at
# the ends, (n,), and the cells (n, 3) by which the image of j is moved.
Search = Callable[[Atoms, float, bool], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass
class AtomGraph:
    """Frames side by side: atoms flat, edges within a cutoff.

    Attributes
    ----------
    positions : (n_atoms, 3) float64, Å. Set ``requires_grad`` to differentiate; see
        `differentiable`.
    species : (n_atoms,) int64, atomic numbers.
    frame : (n_atoms,) int64, frame of each atom.
    n_atoms : (n_frames,) int64, atoms of each frame.
    centre, neighbour : (n_edges,) int64, atoms at the two ends of each edge.
    shift : (n_edges, 3) float64, Å, translation of the neighbour's periodic image.
    strain : (n_frames, 3, 3) float64, by which all vectors r become r + r ε; None for none.
    """

    positions: torch.Tensor
    species: torch.Tensor
    frame: torch.Tensor
    n_atoms: torch.Tensor
    centre: torch.Tensor
    neighbour: torch.Tensor
    shift: torch.Tensor
    strain: torch.Tensor | None = None

    def edge_vectors(self) -> torch.Tensor:
        """Return vectors (n_edges, 3), Å, from centre to neighbour.

        They are differentiable in positions and, if there is one, in the strain.
        """
        positions, shift = self.strained()
        return positions[self.neighbour] - positions[self.centre] + shift

    def strained(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return positions and shifts under the strain, differentiable as edge vectors are."""
        if self.strain is None:
            return self.positions, self.shift
        frame = self.frame[self.centre]
        return (
            self.positions + torch.einsum("na,nab->nb", self.positions, self.strain[self.frame]),
            self.shift + torch.einsum("ea,eab->eb", self.shift, self.strain[frame]),
        )

    def differentiable(self) -> AtomGraph:
        """Return the same graph with positions, and a strain of 0, that require a gradient."""
        strain = self.positions.new_zeros(len(self.n_atoms), 3, 3)
        return replace(
            self,
            positions=self.positions.detach().clone().requires_grad_(),
            strain=strain.requires_grad_(),
        )

    def to(self, device: torch.device | str) -> AtomGraph:
        """Return the same graph on another device."""
        values = {name: value for name, value in vars(self).items() if value is not None}
        return AtomGraph(**{name: value.to(device) for name, value in values.items()})


def search_pairs(
    atoms: Atoms, cutoff: float, half: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the pairs of a frame anew, sorted; see `Search`."""
    search = NeighborList(cutoff=cutoff, full_list=not half, sorted=True, n_threads=1)
    cell = atoms.cell.complete().array
    i, j, images = search.compute(atoms.positions, cell, atoms.pbc, "ijS")
    return np.asarray(i, dtype=np.int64), np.asarray(j, dtype=np.int64), np.asarray(images)


def build_graph(
    frames: Sequence[Atoms], cutoff: float, half: bool = False, search: Search = search_pairs
) -> AtomGraph:
    """Return neighbour lists of ``frames`` within ``cutoff`` (Å), periodic images included.

    Each pair stands twice, once from either end, or once if ``half``.
    """
    centres, neighbours, shifts, offset = [], [], [], 0
    for atoms in frames:
        i, j, images = search(atoms, cutoff, half)
        centres.append(i + offset)
        neighbours.append(j + offset)
        shifts.append(images.astype(float) @ atoms.cell.complete().array)
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
