"""CHGNet 0.3.0 (MPtrj, PBE+U), its weights inside the package chgnet."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import chgnet
import torch
from ase import Atoms
from chgnet.model.model import BatchedGraph, CHGNet

from mekrr.backbones.base import Backbone, BackboneOutput
from mekrr.backbones.graph import AtomGraph, Search, build_graph, search_pairs
from mekrr.backbones.recording import output_of, recorded
from mekrr.files import sha256

CHECKPOINT = "pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar"


class CHGNetBackbone(Backbone):
    """Layers 1…4: atom features after each atom convolution.

    The crystal graph is built here from the neighbour list, all frames at once; it is the
    one that CHGNet's own converter makes edge by edge through pymatgen.
    """

    layers = (1, 2, 3, 4)
    has_energy = True

    def __init__(self, name: str):
        self.name = name
        path = Path(chgnet.__file__).parent / CHECKPOINT
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)["model"]
        with redirect_stdout(sys.stderr):  # it says there that it was made
            model = CHGNet(**checkpoint["model_args"], mlp_out_bias=False, version="0.3.0")
        model.load_state_dict(checkpoint["state_dict"])
        self._model: Any = model.eval().requires_grad_(False)
        self._sources = {
            number: output_of(layer, lambda out: out)
            for number, layer in enumerate(self._model.atom_conv_layers, start=1)
        }
        self.species = frozenset(range(1, model.atom_embedding.embedding.num_embeddings + 1))
        self.weights_sha256 = sha256(path)

    def graph(self, frames: Sequence[Atoms], search: Search = search_pairs) -> AtomGraph:
        return build_graph(
            frames, self._model.graph_converter.atom_graph_cutoff, half=True, search=search
        )

    def forward(
        self, graph: AtomGraph, layers: Collection[int] | None = None, energy: bool = True
    ) -> BackboneOutput:
        with recorded(self._sources, layers, energy) as found:
            prediction = self._model._compute(self._batched_graph(graph), return_site_energies=True)
        if not energy:
            return BackboneOutput(found)
        total = prediction["e"] * graph.n_atoms + self._reference_energy(graph)
        atomic = torch.cat(prediction["site_energies"]) + self._references(graph)
        return BackboneOutput(found, total, atomic)

    def to(self, device: torch.device | str) -> CHGNetBackbone:
        self._model.to(device)
        return self

    def double(self) -> CHGNetBackbone:
        self._model.double()
        return self

    def _references(self, graph: AtomGraph) -> torch.Tensor:
        """Return what CHGNet's composition energy (eV) gives each atom: that of its element."""
        return self._model.composition_model.fc.weight[0][graph.species - 1]

    def _reference_energy(self, graph: AtomGraph) -> torch.Tensor:
        """Return CHGNet's composition energy (eV per frame)."""
        atomic = self._references(graph)
        return atomic.new_zeros(len(graph.n_atoms)).index_add(0, graph.frame, atomic)

    def _batched_graph(self, graph: AtomGraph) -> BatchedGraph:
        """Return CHGNet's input: bonds stand once in ``graph``, directed bonds are both ways."""
        dtype = next(self._model.parameters()).dtype
        n_bonds = len(graph.centre)
        bonds = torch.arange(n_bonds, device=graph.centre.device)
        centre = torch.cat([graph.centre, graph.neighbour])
        neighbour = torch.cat([graph.neighbour, graph.centre])
        to_bond = torch.cat([bonds, bonds])

        vector = graph.edge_vectors().to(dtype)
        origin = vector.new_zeros(2 * n_bonds, 3)
        basis_atoms, basis_bonds, unit = self._model.bond_basis_expansion(
            center=origin,  # only differences count, and they are exact in the edge vectors
            neighbor=torch.cat([vector, -vector]),
            undirected2directed=bonds,
            image=origin,
            lattice=vector.new_zeros(3, 3),
        )

        length = vector.detach().norm(dim=1)
        short = (length <= self._model.graph_converter.bond_graph_cutoff).repeat(2).nonzero()[:, 0]
        first, second = _ordered_pairs_by_centre(short, centre)
        angles = self._model.angle_basis_expansion(unit[first], unit[second])
        bond_graph = torch.stack([centre[first], to_bond[first], to_bond[second]], dim=1)
        return BatchedGraph(
            atomic_numbers=graph.species,
            bond_bases_ag=basis_atoms,
            bond_bases_bg=basis_bonds,
            angle_bases=angles,
            batched_atom_graph=torch.stack([centre, neighbour], dim=1),
            batched_bond_graph=bond_graph,
            atom_owners=graph.frame,
            directed2undirected=to_bond,
            atom_positions=[graph.positions],
            strains=[None],
            volumes=[],
        )


def _ordered_pairs_by_centre(
    edges: torch.Tensor, centre: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ordered pairs of different ``edges`` that start at the same atom: the angles."""
    edges = edges[torch.argsort(centre[edges], stable=True)]
    _, degree = torch.unique_consecutive(centre[edges], return_counts=True)
    start = torch.cumsum(degree, 0) - degree
    first = torch.repeat_interleave(
        torch.arange(len(edges), device=edges.device), torch.repeat_interleave(degree, degree)
    )
    block = torch.repeat_interleave(torch.arange(len(degree), device=edges.device), degree**2)
    within = torch.arange(len(first), device=edges.device) - torch.repeat_interleave(
        torch.cumsum(degree**2, 0) - degree**2, degree**2
    )
    second = start[block] + within % degree[block]
    keep = first != second
    return edges[first[keep]], edges[second[keep]]
