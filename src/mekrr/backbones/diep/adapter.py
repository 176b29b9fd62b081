"""DIEP (MatPES, r2SCAN), its weights inside the package diep."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import diep
import torch
from ase import Atoms
from diep import config
from diep.graph.compute import DIEPData
from diep.pretrained import load_potential

from mekrr.backbones.base import Backbone, BackboneOutput
from mekrr.backbones.graph import AtomGraph, Search, build_graph, search_pairs
from mekrr.backbones.recording import output_of, recorded
from mekrr.files import sha256

MODEL = "pretrained_models/diep_fold1"


class DIEP(Backbone):
    """Layers 1…3: node features (64) after each graph layer.

    The energy (eV) includes the reference energies of the elements. The network draws each
    triplet along its longest edge, so features and energy step slightly where two edges of
    a triplet between different elements change places: gradients hold between the steps.
    """

    has_energy = True

    def __init__(self, name: str):
        self.name = name
        path = Path(diep.__file__).parent / MODEL
        self._model = load_potential(path, stress=False).requires_grad_(False)
        network = self._model.model
        self._sources = {
            t: output_of(layer, lambda out: out[1])  # of edges, nodes and the state
            for t, layer in enumerate(network.graph_layers, start=1)
        }
        self.layers = tuple(self._sources)
        numbers = network.atomic_number_table.long()
        self._type_of = torch.full((int(numbers.max()) + 1,), -1)
        self._type_of[numbers] = torch.arange(len(numbers))
        self.species = frozenset(numbers.tolist())
        self.weights_sha256 = sha256(path / "state.pt")

    def graph(self, frames: Sequence[Atoms], search: Search = search_pairs) -> AtomGraph:
        return build_graph(frames, self._model.model.cutoff, search=search)

    def forward(
        self, graph: AtomGraph, layers: Collection[int] | None = None, energy: bool = True
    ) -> BackboneOutput:
        potential = self._model
        dtype = next(potential.parameters()).dtype
        vectors = graph.edge_vectors().to(dtype)
        data = DIEPData(
            node_type=self._type_of[graph.species],
            # Only differences count, and they are exact in the edge vectors.
            pos=vectors.new_zeros(len(graph.species), 3),
            pbc_offshift=vectors,
            edge_index=torch.stack([graph.centre, graph.neighbour]),
            batch=graph.frame,
        )
        with torch.inference_mode(False):
            # Made once and kept: were it made in inference mode, no gradient could use it later.
            potential.model.diep_integrator._ensure_grid(vectors.device)
        with _computing_in(dtype), recorded(self._sources, layers, energy) as found:
            # The network adds the triplets itself, those of all frames at once.
            output = potential.model(data, return_all_layer_output=True)
            references = potential.element_refs(data)
        if not energy:
            return BackboneOutput(found)
        total = potential.data_std * output["final"][:, 0] + potential.data_mean + references
        atomic = None
        if potential.data_mean == 0:
            atomic = potential.data_std * output["readout"][:, 0]
            atomic = atomic + potential.element_refs.property_offset[data.node_type]
        return BackboneOutput(found, total, atomic)

    def to(self, device: torch.device | str) -> DIEP:
        self._model.to(device)
        self._type_of = self._type_of.to(device)
        return self

    def double(self) -> DIEP:
        self._model.double()
        return self


@contextmanager
def _computing_in(dtype: torch.dtype) -> Iterator[None]:
    """Let DIEP compute in ``dtype``: it casts to a global type, whatever that of its weights."""
    before = config.float_th
    config.float_th = dtype
    try:
        yield
    finally:
        config.float_th = before
