"""SOAP vectors, by featomic: the descriptor of Gaussian approximation potentials (GAP).

Equations: Bartók, Kondor and Csányi, Phys. Rev. B 87, 184115 (2013).
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from featomic import SphericalExpansion
from featomic._c_api import featomic_pair_t
from featomic.basis import Gto, TensorProduct
from featomic.cutoff import Cutoff, ShiftedCosine
from featomic.density import Gaussian
from featomic.systems import SystemBase
from torch.autograd.function import once_differentiable

from mekrr.backbones.base import Backbone, BackboneOutput
from mekrr.backbones.graph import AtomGraph, Search, build_graph, search_pairs
from mekrr.errors import BackboneError

TRANSITION = 0.5  # Å, the shell inside the cutoff in which neighbours fade out


class SOAP(Backbone):
    """Layer 1: the power spectrum of the density of neighbours, as a unit vector in float64.

    The neighbours of species a, smeared to Gaussians, have a density whose coefficients
    c_anlm belong to Gaussian-type radial functions n and spherical harmonics lm. Then

        p_(an)(bn')l = Σ_m c_anlm c_bn'lm / √(2l + 1).

    It is symmetric in (an) and (bn'): the upper triangle is kept, with √2 before what is off
    the diagonal, so that dot products are those of the whole. Vectors have unit length, as
    in GAP, whose kernel is their dot product; no vector is zero, since an atom is part of its
    own density. With S species their width is (l_max + 1) S n_max (S n_max + 1) / 2: 8,232
    for four species and the defaults, which are usual for GAP (with other radial functions).

    Parameters
    ----------
    species : symbols of all elements of the data set; they fix the width.
    n_max : number of radial functions.
    l_max : largest angular momentum.
    cutoff : Å; neighbours fade out in its last 0.5 Å.
    sigma : Å, standard deviation of the Gaussian that stands for an atom.

    Raises
    ------
    BackboneError
        If ``species`` holds what is no chemical symbol.
    """

    layers = (1,)
    runs_on_gpu = False  # featomic computes on the CPU
    cpu_batch = 4
    weights_sha256 = "none"
    has_energy = False

    def __init__(
        self,
        name: str,
        species: Sequence[str],
        n_max: int = 12,
        l_max: int = 6,
        cutoff: float = 6.0,
        sigma: float = 0.5,
    ):
        unknown = sorted(set(species) - set(chemical_symbols[1:]))
        if unknown:
            raise BackboneError(
                f"backbone {name!r}: species: no such element: {', '.join(unknown)}; "
                "list chemical symbols"
            )
        self.name = name
        self.species = frozenset(atomic_numbers[symbol] for symbol in species)
        self._cutoff = cutoff
        self._l_max = l_max
        self._shape = ((l_max + 1) ** 2, len(self.species), n_max)
        # featomic starts its threads once, at the first use, in this number.
        os.environ.setdefault("RAYON_NUM_THREADS", str(torch.get_num_threads()))
        self._expansion = SphericalExpansion(
            cutoff=Cutoff(cutoff, ShiftedCosine(width=TRANSITION)),
            density=Gaussian(width=sigma),
            basis=TensorProduct(max_angular=l_max, radial=Gto(max_radial=n_max - 1)),
        )

    def graph(self, frames: Sequence[Atoms], search: Search = search_pairs) -> AtomGraph:
        return build_graph(frames, self._cutoff, half=True, search=search)

    def forward(
        self, graph: AtomGraph, layers: Collection[int] | None = None, energy: bool = True
    ) -> BackboneOutput:
        density = _Density.apply(graph.positions, graph.strain, graph, self)
        _, n_species, n_max = self._shape
        size = n_species * n_max
        first, second = torch.triu_indices(size, size)
        weight = torch.where(first == second, 1.0, math.sqrt(2.0)).to(density)
        upper = first * size + second
        spectrum = []
        for degree in range(self._l_max + 1):
            c = density[:, _harmonics(degree)].flatten(2)
            product = torch.einsum("kma,kmb->kab", c, c) / math.sqrt(2 * degree + 1)
            spectrum.append(weight * product.flatten(1).index_select(1, upper))
        features = torch.cat(spectrum, dim=1)
        return BackboneOutput({1: features / features.norm(dim=1, keepdim=True)}, None)

    def to(self, device: torch.device | str) -> SOAP:
        return self

    def double(self) -> SOAP:
        return self  # featomic computes in float64


def _harmonics(degree: int) -> slice:
    """Return where the 2l + 1 spherical harmonics of degree l stand."""
    return slice(degree**2, (degree + 1) ** 2)


class _Density(torch.autograd.Function):
    """Coefficients (n_atoms, (l_max + 1)², n_species, n_max) of the density of neighbours."""

    @staticmethod
    def forward(
        ctx: Any,
        positions: torch.Tensor,
        strain: torch.Tensor | None,
        graph: AtomGraph,
        soap: SOAP,
    ) -> torch.Tensor:
        wanted = zip(("positions", "strain"), ctx.needs_input_grad, strict=False)
        expansion = soap._expansion.compute(
            _Environments(graph),
            use_native_system=False,
            gradients=[name for name, needed in wanted if needed],
        )
        ctx.frame, ctx.n_frames = graph.frame.numpy(), len(graph.n_atoms)
        column = {number: a for a, number in enumerate(sorted(soap.species))}
        ctx.blocks = [
            (_harmonics(degree), column[neighbour], block)
            for (degree, _, _, neighbour), block in expansion.items()
        ]
        density = np.zeros((len(positions), *soap._shape))
        for harmonics, species, block in ctx.blocks:
            density[block.samples["atom"], harmonics, species] = block.values
        return torch.from_numpy(density)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        incoming = upstream.numpy()
        of_positions = np.zeros((len(incoming), 3))
        of_strain = np.zeros((ctx.n_frames, 3, 3))
        for harmonics, species, block in ctx.blocks:
            centres = block.samples["atom"]
            if ctx.needs_input_grad[0]:
                derivative = block.gradient("positions")
                centre = centres[derivative.samples["sample"]]
                slope = np.einsum(
                    "gxmn,gmn->gx", derivative.values, incoming[centre, harmonics, species]
                )
                np.add.at(of_positions, derivative.samples["atom"], slope)
            if ctx.needs_input_grad[1]:
                # featomic knows one system; its strains are those of the frames of the centres.
                derivative = block.gradient("strain")
                centre = centres[derivative.samples["sample"]]
                slope = np.einsum(
                    "gxymn,gmn->gxy", derivative.values, incoming[centre, harmonics, species]
                )
                np.add.at(of_strain, ctx.frame[centre], slope)
        gradients = [
            torch.from_numpy(gradient) if needed else None
            for gradient, needed in zip(
                (of_positions, of_strain), ctx.needs_input_grad, strict=False
            )
        ]
        return *gradients, None, None


class _Environments(SystemBase):
    """The atoms of all frames as one system for featomic.

    Frames share no pairs, and pairs know of periodic images by their vectors alone; hence
    there is no cell, and the search for neighbours has been done.
    """

    def __init__(self, graph: AtomGraph):
        super().__init__()
        vectors = graph.edge_vectors().detach().numpy()
        self._positions = graph.positions.detach().numpy()
        self._species = graph.species.numpy().astype(np.int32)
        self._pairs = np.zeros(len(vectors), dtype=featomic_pair_t)
        self._pairs["first"] = graph.centre
        self._pairs["second"] = graph.neighbour
        self._pairs["vector"] = vectors
        self._pairs["distance"] = np.linalg.norm(vectors, axis=1)
        ends = np.concatenate([self._pairs["first"], self._pairs["second"]])
        order = np.argsort(ends, kind="stable")
        borders = np.searchsorted(ends[order], np.arange(1, len(self._species)))
        self._pairs_of = np.split(np.tile(self._pairs, 2)[order], borders)

    def size(self) -> int:
        return len(self._species)

    def types(self) -> np.ndarray:
        return self._species

    def positions(self) -> np.ndarray:
        return self._positions

    def cell(self) -> np.ndarray:
        return np.zeros((3, 3))

    def compute_neighbors(self, cutoff: float) -> None:
        pass

    def pairs(self) -> np.ndarray:
        return self._pairs

    def pairs_containing(self, atom: int) -> np.ndarray:
        return self._pairs_of[atom]
