"""SevenNet-0 and SevenNet-l3i5 (MPtrj, PBE), their weights inside the package sevenn."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from mekrr.backbones.sevennet.quick_import import moments_once

# isort: split
import sevenn._keys as KEY
import sevenn.util
import torch
from ase import Atoms
from sevenn import pretrained_potentials
from sevenn.nn.convolution import IrrepsConvolution

from mekrr.backbones.base import Backbone, BackboneOutput
from mekrr.backbones.graph import AtomGraph, Search, build_graph, search_pairs
from mekrr.backbones.scripted import ScriptedBackbone
from mekrr.backbones.sevennet.convolution import EDGES, Convolution, edges_of
from mekrr.backbones.sevennet.invariants import invariants
from mekrr.errors import BackboneError
from mekrr.files import sha256

CHECKPOINTS = {
    "7net-0": "SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth",
    "7net-l3i5": "SevenNet_l3i5/checkpoint_l3i5.pth",
}


class SevenNet(Backbone):
    """Layers t = 0…4: the scalar (l = 0) channels after the t-th interaction's gate.

    Parameters
    ----------
    checkpoint : "7net-0" (angular momenta up to l = 2) or "7net-l3i5" (up to l = 3).
    norms : whether the lengths of the other channels, which are invariants too, come after these;
        the last layer has none. A length r is √(r² + ε²) - ε, which has a derivative at 0.

    Raises
    ------
    BackboneError
        If there is no such checkpoint in the package.
    """

    has_energy = True

    def __init__(self, name: str, checkpoint: str = "7net-0", norms: bool = False):
        if checkpoint not in CHECKPOINTS:
            raise BackboneError(
                f"backbone {name!r}: unknown checkpoint {checkpoint!r}; "
                f"known: {', '.join(CHECKPOINTS)}"
            )
        self.name = name
        path = Path(next(iter(pretrained_potentials.__path__))) / CHECKPOINTS[checkpoint]
        loaded = sevenn.util.load_checkpoint(str(path))
        with moments_once():
            self._model: Any = loaded.build_model()
        self._model.eval().requires_grad_(False)
        self._model.set_is_batch_data(True)
        self._index_of = self._model.z_to_onehot_tensor
        # The last module differentiates the energy; here autograd does, where wanted.
        self._modules: list[tuple[str, Any]] = [
            (n, m) for n, m in self._model.named_children() if n != "force_output"
        ]
        self._steps = [
            (n, Convolution(m) if isinstance(m, IrrepsConvolution) else m) for n, m in self._modules
        ]
        gates = {n: m.gate for n, m in self._modules if n.endswith("_equivariant_gate")}
        self._gates = {name: int(name.split("_")[0]) for name in gates}
        self._channels: dict[int, tuple[int, list[tuple[int, int]]]] = {  # see `invariants`
            self._gates[name]: (
                gate.irreps_out.count("0e"),
                [(mul, ir.dim) for mul, ir in gate.irreps_out if ir.l] if norms else [],
            )
            for name, gate in gates.items()
        }
        self.layers = tuple(self._gates.values())
        self._cutoff = float(self._model.cutoff)
        self.species = frozenset(self._model.type_map or ())
        self.weights_sha256 = sha256(path)

    def graph(self, frames: Sequence[Atoms], search: Search = search_pairs) -> AtomGraph:
        return build_graph(frames, self._cutoff, search=search)

    def forward(
        self, graph: AtomGraph, layers: Collection[int] | None = None, energy: bool = True
    ) -> BackboneOutput:
        wanted = self.layers if layers is None else layers
        data = self._data(graph)
        found: dict[int, torch.Tensor] = {}
        for name, step in self._steps:
            if not energy and len(found) == len(wanted):
                return BackboneOutput(found)
            data = step(data)
            if name in self._gates and (t := self._gates[name]) in wanted:
                found[t] = invariants(data[KEY.NODE_FEATURE], *self._channels[t])
        atomic = data[KEY.ATOMIC_ENERGY].reshape(-1)
        return BackboneOutput(found, data[KEY.PRED_TOTAL_ENERGY].reshape(-1), atomic)

    def _data(self, graph: AtomGraph, vectors: torch.Tensor | None = None) -> dict[str, Any]:
        """Return SevenNet's input; ``vectors`` (n_edges, 3) stand for those of the edges."""
        dtype = next(self._model.parameters()).dtype
        return {
            KEY.ATOMIC_NUMBERS: graph.species,
            KEY.NODE_FEATURE: self._index_of[graph.species],
            KEY.EDGE_IDX: torch.stack([graph.centre, graph.neighbour]),
            KEY.EDGE_VEC: (graph.edge_vectors() if vectors is None else vectors).to(dtype),
            KEY.BATCH: graph.frame,
            KEY.NUM_ATOMS: graph.n_atoms,
            EDGES: edges_of(graph.centre, graph.neighbour, len(graph.species)),
        }

    def scripted(self, layers: Sequence[int], energy: bool) -> ScriptedBackbone:
        from mekrr.backbones.sevennet.scripted import ScriptedSevenNet

        parts = self._modules, self._gates, self._channels, self._index_of, self._cutoff
        return ScriptedSevenNet(*parts, layers, energy)

    def to(self, device: torch.device | str) -> SevenNet:
        self._model.to(device)
        self._index_of = self._index_of.to(device)
        return self

    def double(self) -> SevenNet:
        """Turn weights, and all that is computed, into float64; return self."""
        self._model.double()
        self._model.onehot_idx_to_onehot.register_forward_hook(_one_hot_in_float64)
        return self


def _one_hot_in_float64(_module: torch.nn.Module, _inputs: Any, data: dict[str, Any]) -> None:
    """Species are one-hot in float32, whatever the weights are."""
    for key in (KEY.NODE_FEATURE, KEY.NODE_ATTR):
        data[key] = data[key].double()
