"""SevenNet-0 (MPtrj, PBE), its weights inside the package sevenn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import sevenn._keys as KEY
import sevenn.util
import torch
from ase import Atoms
from sevenn import pretrained_potentials

from mekrr.backbones.base import Backbone, BackboneOutput
from mekrr.files import sha256
from mekrr.graphs import AtomGraph, build_graph

CHECKPOINT = "SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth"


class SevenNet(Backbone):
    """Layers t = 0…4: the scalar (l = 0) channels after the t-th interaction's gate."""

    layers = (0, 1, 2, 3, 4)
    has_energy = True

    def __init__(self, name: str):
        self.name = name
        path = Path(next(iter(pretrained_potentials.__path__))) / CHECKPOINT
        checkpoint = sevenn.util.load_checkpoint(str(path))
        self._model = checkpoint.build_model().eval().requires_grad_(False)
        self._model.set_is_batch_data(True)
        self._index_of = self._model.z_to_onehot_tensor
        # The last module differentiates the energy; here autograd does, where wanted.
        self._modules = [(n, m) for n, m in self._model.named_children() if n != "force_output"]
        self._scalars = {
            t: self._model.get_submodule(f"{t}_equivariant_gate").gate.irreps_out.count("0e")
            for t in self.layers
        }
        self._cutoff = float(self._model.cutoff)
        self.species = frozenset(self._model.type_map)
        self.weights_sha256 = sha256(path)

    def graph(self, frames: Sequence[Atoms]) -> AtomGraph:
        return build_graph(frames, self._cutoff)

    def forward(self, graph: AtomGraph) -> BackboneOutput:
        dtype = next(self._model.parameters()).dtype
        data = {
            KEY.ATOMIC_NUMBERS: graph.species,
            KEY.NODE_FEATURE: self._index_of[graph.species],
            KEY.EDGE_IDX: torch.stack([graph.centre, graph.neighbour]),
            KEY.EDGE_VEC: graph.edge_vectors().to(dtype),
            KEY.BATCH: graph.frame,
            KEY.NUM_ATOMS: graph.n_atoms,
        }
        layers = {}
        for name, module in self._modules:
            data = module(data)
            if name.endswith("_equivariant_gate"):
                t = int(name.split("_")[0])
                layers[t] = data[KEY.NODE_FEATURE][:, : self._scalars[t]]
        return BackboneOutput(layers, data[KEY.PRED_TOTAL_ENERGY].reshape(-1))

    def to(self, device: torch.device | str) -> SevenNet:
        self._model.to(device)
        self._index_of = self._index_of.to(device)
        return self
