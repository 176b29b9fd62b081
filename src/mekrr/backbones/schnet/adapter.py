"""SchNet as trained by the Open Catalyst Project (OC20), from a checkpoint file.

Equations: Schütt et al., SchNet, J. Chem. Phys. 148, 241722 (2018), with the cosine cutoff
and the Gaussian smearing of torch_geometric.
"""

from __future__ import annotations

import math
import os
import pickle
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from ase import Atoms

from mekrr.backbones.base import Backbone, BackboneOutput
from mekrr.backbones.graph import AtomGraph, Search, build_graph, search_pairs
from mekrr.backbones.schnet.layers import SchNetLayers
from mekrr.backbones.schnet.tabulated import HermiteTable
from mekrr.backbones.weights import misfit, some
from mekrr.errors import BackboneError, first_line
from mekrr.files import sha256

MAX_NEIGHBOURS = 50  # per atom, as in all SchNet models of OC20
TIE = 1e-6  # Å, distances that round to the same multiple are equal
EDGES_AT_ONCE = 2600  # on a CPU; about one frame of 52 atoms
TABLE_TOLERANCE = 1e-5  # of the largest value of each filter

ARCHITECTURE = ("hidden_channels", "num_filters", "num_interactions", "num_gaussians", "cutoff")
FIXED = {"readout": "add", "use_pbc": True}  # values that this adapter can honour
NO_MATTER = (
    "name",
    "otf_graph",
    "regress_forces",
    "regress_relaxed_energy",
    "regress_relaxed_position",
)  # where edges come from, what is trained on


class SchNet(Backbone):
    """Layers 1…n: atom features after each interaction.

    With neighbours j of atom i at distances d_ij, filters W_t and the shifted softplus s,

        h_i ← h_i + B_t s(A_t Σ_j (V_t h_j) ⊙ W_t(d_ij) + a_t) + b_t.

    An atom has as neighbours the 50 atoms nearest to it, periodic images included, of
    those within the cutoff. Where there are more, features jump as two atoms at that border
    change places. The weights are frozen: a network trained further is another checkpoint.

    Parameters
    ----------
    name : name in the registry.
    weights : checkpoint with ``state_dict``, whose keys may begin with ``module.`` once or
        twice, and ``config`` with ``model_attributes``; the layout of schnet_all_large.pt.
        If it has ``normalizers``, those of ``target`` scale the energy, which for OC20 is
        an adsorption energy in eV.
    exact : evaluate the filters' networks for each edge instead of interpolating them.

    Raises
    ------
    BackboneError
        If the file is missing, damaged, holds more than tensors and plain values, or is
        not a SchNet that this adapter can reproduce.
    """

    has_energy = True
    cpu_batch = 8  # each pass reads all weights, 30 MB of OC20's, from main memory

    def __init__(self, name: str, weights: str | os.PathLike, exact: bool = False):
        self.name = name
        checkpoint = read_checkpoint(weights)
        self._model: Any = _build(checkpoint, weights)
        self._mean, self._std = _normalizer(checkpoint, weights)
        self._exact = exact
        if not exact:
            precise = deepcopy(self._model).double()
            # Inside the model, it moves and converts with the weights.
            self._model.table = HermiteTable(
                lambda distance: exact_filters(precise, distance),
                self._model.cutoff,
                TABLE_TOLERANCE,
                str(weights),
            ).to(self._model.lin1.weight.dtype)
        self._packed = _packed(self._model)
        self.layers = tuple(range(1, self._model.num_interactions + 1))
        self.species = frozenset(range(1, self._model.embedding.num_embeddings))
        self.weights_sha256 = sha256(weights)

    def graph(self, frames: Sequence[Atoms], search: Search = search_pairs) -> AtomGraph:
        return nearest_neighbours(
            build_graph(frames, self._model.cutoff, search=search), MAX_NEIGHBOURS
        )

    def forward(
        self, graph: AtomGraph, layers: Collection[int] | None = None, energy: bool = True
    ) -> BackboneOutput:
        model = self._model
        distance = graph.edge_vectors().norm(dim=1)
        # In parts, so that filters and messages stay in the processor's cache; a GPU wants all.
        n_edges = max(len(distance), 1)
        at_once = EDGES_AT_ONCE if distance.is_cpu else n_edges
        parts = [slice(start, start + at_once) for start in range(0, n_edges, at_once)]
        filters = [self._filters(distance[part]) for part in parts]
        h = model.embedding(graph.species)
        wanted = self.layers if layers is None else layers
        found: dict[int, torch.Tensor] = {}
        for number, block in zip(self.layers, model.interactions, strict=True):
            source = self._linear(block.conv.lin1, h)
            total = torch.zeros_like(source)
            for part, filters_of_part in zip(parts, filters, strict=True):
                message = source.index_select(0, graph.neighbour[part]) * next(filters_of_part)
                total = total.index_add(0, graph.centre[part], message)
            h = h + self._linear(block.lin, block.act(self._linear(block.conv.lin2, total)))
            if number in wanted:
                found[number] = h
            if not energy and len(found) == len(wanted):
                return BackboneOutput(found)
        atomic = model.lin2(model.act(self._linear(model.lin1, h)))[:, 0]
        total = atomic.new_zeros(len(graph.n_atoms)).index_add(0, graph.frame, atomic)
        return BackboneOutput(
            found,
            total * self._std + self._mean,
            atomic * self._std if self._mean == 0 else None,  # a mean of frames is no atom's
        )

    def to(self, device: torch.device | str) -> SchNet:
        self._model.to(device)
        return self

    def double(self) -> SchNet:
        self._model.double()
        return self

    def _filters(self, distance: torch.Tensor) -> Iterator[torch.Tensor]:
        return exact_filters(self._model, distance) if self._exact else self._model.table(distance)

    def _linear(self, layer: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
        """Apply ``layer``; by oneDNN where it can, on AMD processors twice as fast as MKL."""
        if layer not in self._packed or x.requires_grad or x.dtype != torch.float32 or not x.is_cpu:
            return layer(x)
        weight, bias = self._packed[layer]
        return torch.nn.functional.linear(x.to_mkldnn(), weight, bias).to_dense()


def exact_filters(model: Any, distance: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield filters (n_edges, num_filters) of each interaction at ``distance`` (n_edges,), Å.

    W_t(d) = MLP_t(exp(-(d - μ)² / 2Δ²)) (cos(π d / cutoff) + 1) / 2, with Gaussians at
    centres μ that are Δ apart. ``model`` has the layers of a `SchNetLayers`.
    """
    distance = distance.to(model.lin1.weight.dtype)
    smeared = model.distance_expansion(distance)
    envelope = 0.5 * (torch.cos(distance * (math.pi / model.cutoff)) + 1)
    for block in model.interactions:
        yield block.mlp(smeared) * envelope[:, None]


def nearest_neighbours(graph: AtomGraph, most: int) -> AtomGraph:
    """Return ``graph`` with no more than the ``most`` nearest neighbours of each atom.

    Edges are sorted by centre, then distance, then neighbour, then the x, y and z of the
    image's translation. Distances are compared as multiples of ``TIE``, so that among
    symmetric neighbours rounding does not choose.
    """
    distance = np.round(graph.edge_vectors().norm(dim=1).numpy() / TIE)
    x, y, z = graph.shift.numpy().T
    order = np.lexsort((z, y, x, graph.neighbour, distance, graph.centre))
    centre = graph.centre.numpy()[order]
    rank = np.arange(len(order)) - np.searchsorted(centre, centre)
    kept = torch.from_numpy(order[rank < most])
    return replace(
        graph,
        centre=graph.centre[kept],
        neighbour=graph.neighbour[kept],
        shift=graph.shift[kept],
    )


def _plain_dict(*_factory: type) -> dict:
    """Stand in for defaultdict, which torch does not fill when loading weights only."""
    return {}


# What checkpoints hold beside tensors and plain containers: metrics as numpy scalars
# (numpy 1 names their constructor differently) and dictionaries with a default.
HARMLESS = [
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("bool", "int32", "int64", "float32", "float64")),
    (_plain_dict, "collections.defaultdict"),
    *((kind, f"builtins.{kind.__name__}") for kind in (dict, float, int, list)),
]


@contextmanager
def _only(allowed: list) -> Iterator[None]:
    """Let torch.load accept ``allowed`` and no longer what packages have added at import."""
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(allowed)
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def read_checkpoint(path: str | os.PathLike) -> Any:
    """Read a checkpoint made by torch.save, without running any code from it."""
    try:
        with _only(HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BackboneError(
            f"{path}: no such file; download the checkpoint or correct its path"
        ) from None
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))
        if asked is None:
            raise BackboneError(
                f"{path}: not a checkpoint of tensors and plain values; download it anew"
            ) from None
        raise BackboneError(
            f"{path}: refused, since loading it would run {asked[1]}; "
            "use a checkpoint of tensors and plain values from a source that you trust"
        ) from None
    except Exception as error:  # a damaged pickle stumbles anywhere
        raise BackboneError(
            f"{path}: cannot be read as a checkpoint ({first_line(error)}); download it anew"
        ) from error


def _build(checkpoint: object, path: str | os.PathLike) -> SchNetLayers:
    """Build the frozen network of a checkpoint."""
    state = _entry(checkpoint, ("state_dict",), path)
    attributes = _entry(checkpoint, ("config", "model_attributes"), path)
    unknown = set(attributes) - {*ARCHITECTURE, *FIXED, *NO_MATTER}
    if unknown:
        raise BackboneError(
            f"{path}: config.model_attributes has {some(unknown)}, unknown to SchNet; "
            "use a checkpoint of the Open Catalyst Project's SchNet"
        )
    for key, only in FIXED.items():
        if attributes.get(key, only) != only:
            raise BackboneError(
                f"{path}: config.model_attributes has {key} = {attributes[key]!r}; this adapter "
                f"computes {only!r} only, so use another checkpoint"
            )
    model = SchNetLayers(**{key: attributes[key] for key in ARCHITECTURE if key in attributes})
    state = {
        key.removeprefix("module.").removeprefix("module."): value for key, value in state.items()
    }
    state.pop("atomic_mass", None)  # a buffer of older versions, for dipoles alone
    _check_state(state, model.state_dict(), path)
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)


def _check_state(
    state: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], path: str | os.PathLike
) -> None:
    """Raise a BackboneError unless the weights fit a model with weights like ``expected``."""
    wrong = misfit(state, expected)
    if wrong:
        raise BackboneError(
            f"{path}: state_dict {wrong}; use a SchNet checkpoint whose config.model_attributes "
            "are its own"
        )
    for key, value in state.items():
        if not torch.isfinite(value).all():
            raise BackboneError(f"{path}: {key} is not finite; use another checkpoint")
    centres = "distance_expansion.offset"
    if not torch.allclose(state[centres], expected[centres]):
        raise BackboneError(
            f"{path}: {centres} ends at {float(state[centres][-1]):g} Å, but "
            f"config.model_attributes make it {float(expected[centres][-1]):g} Å; correct cutoff"
        )


def _packed(
    model: torch.nn.Module,
) -> dict[torch.nn.Linear, tuple[torch.Tensor, torch.Tensor | None]]:
    """Return weights and biases of linear layers as oneDNN keeps them; empty without oneDNN."""
    if not torch.backends.mkldnn.is_available():
        return {}
    return {
        layer: (layer.weight.to_mkldnn(), None if layer.bias is None else layer.bias.to_mkldnn())
        for layer in model.modules()
        if isinstance(layer, torch.nn.Linear)
    }


def _normalizer(checkpoint: Mapping, path: str | os.PathLike) -> tuple[float, float]:
    """Return mean and standard deviation (eV) that normalised the energy; 0 and 1 if none."""
    if not checkpoint.get("normalizers"):
        return 0.0, 1.0
    target = _entry(checkpoint, ("normalizers", "target"), path)
    try:
        return float(target["mean"]), float(target["std"])
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise BackboneError(
            f"{path}: normalizers.target lacks the numbers mean and std; add them, or drop the "
            "entry if energies were not normalised"
        ) from None


def _entry(checkpoint: object, keys: Sequence[str], path: str | os.PathLike) -> Mapping:
    """Return the mapping under nested ``keys``."""
    for key in keys:
        checkpoint = checkpoint.get(key) if isinstance(checkpoint, Mapping) else None
    if not isinstance(checkpoint, Mapping):
        raise BackboneError(
            f"{path}: no entry {'.'.join(keys)}; use a checkpoint in the layout of the Open "
            "Catalyst Project"
        )
    return checkpoint
