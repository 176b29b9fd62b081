"""MACE, from a model file as mace-torch writes it (``*.model``).

Such a file is a pickle of the network's Python objects; unpickled as usual it runs code, part
of it source text out of the file. Here inert stand-ins take the objects' places, so that only
numbers and names are read, and mace-torch builds the network anew from them.

mace-torch pins an e3nn with which SevenNet and fairchem-core do not work; envs/mace.yaml is an
environment for it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from ase import Atoms

from mekrr.backbones.base import Backbone, BackboneOutput
from mekrr.backbones.graph import AtomGraph, Search, build_graph, search_pairs
from mekrr.backbones.recording import output_of, recorded
from mekrr.backbones.weights import misfit, unreadable, untrusted
from mekrr.errors import BackboneError, first_line
from mekrr.files import sha256

# What a file may name; each name gets a stand-in.
PARTS = ("e3nn.", "mace.", "torch.fx.", "torch.nn.")
# Parts of e3nn's lists, and how torch names functions such as tanh.
SMALL_PARTS = ("builtins.slice", "builtins.getattr", "torch._C._VariableFunctionsClass")

MODEL = "mace.modules.models.ScaleShiftMACE"
CURE = "give a ScaleShiftMACE model as mace-torch saves it, neither compiled nor for LAMMPS"
# Importing mace sets it; from then on torch.load would unpickle anything, in all of the process.
SWITCH = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


class MACE(Backbone):
    """Layers 1…n: the scalar (0e) channels of the node features after each interaction.

    The network runs in float32, whatever the precision of the file.

    Parameters
    ----------
    name : name in the registry.
    weights : model file, as mace-torch 0.3.4 to 0.3.16 saves it.
    head : level of theory of the energy, for a model that has several; may be left out if one
        of them is called default. Features do not depend on it.

    Raises
    ------
    BackboneError
        If mace-torch is not installed, the model has no such head, or the file is missing,
        damaged, names what is no part of a MACE model, or holds one that cannot be built.
    """

    has_energy = True

    def __init__(self, name: str, weights: str | os.PathLike, head: str | None = None):
        self.name = name
        self._model: Any
        settings, self._model = _build(name, read_inert(weights), weights)
        self._head = _index(settings["heads"], head, name)
        numbers = self._model.atomic_numbers
        self._index_of = torch.full((int(numbers.max()) + 1,), -1)
        self._index_of[numbers] = torch.arange(len(numbers))
        self._sources = {
            layer: output_of(product, partial(_scalars, columns=_scalar_columns(product)))
            for layer, product in enumerate(self._model.products, start=1)
        }
        self._cutoff = float(self._model.r_max)
        self.layers = tuple(self._sources)
        self.species = frozenset(numbers.tolist())
        self.weights_sha256 = sha256(weights)
        # Edges come in float64, and go on in the precision of the weights.
        for part in ("spherical_harmonics", "radial_embedding", "pair_repulsion_fn"):
            if hasattr(self._model, part):
                getattr(self._model, part).register_forward_pre_hook(self._in_own_precision)

    def graph(self, frames: Sequence[Atoms], search: Search = search_pairs) -> AtomGraph:
        return build_graph(frames, self._cutoff, search=search)

    def forward(
        self, graph: AtomGraph, layers: Collection[int] | None = None, energy: bool = True
    ) -> BackboneOutput:
        n_frames, vectors = len(graph.n_atoms), graph.edge_vectors()
        species = torch.nn.functional.one_hot(self._index_of[graph.species], len(self.species))
        data = {
            # Only differences count, and they are exact in the edge vectors.
            "positions": torch.zeros_like(graph.positions),
            "node_attrs": species.to(self._dtype),
            "edge_index": torch.stack([graph.centre, graph.neighbour]),
            "shifts": vectors,
            "cell": graph.shift.new_zeros(3 * n_frames, 3),  # would serve stresses
            "batch": graph.frame,
            "ptr": torch.nn.functional.pad(graph.n_atoms.cumsum(0), (1, 0)),
            "head": torch.full_like(graph.n_atoms, self._head),
        }
        # MACE has its positions require a gradient, whether one is wanted or not.
        differentiable = torch.is_grad_enabled() and vectors.requires_grad
        with (
            torch.set_grad_enabled(differentiable),
            recorded(self._sources, layers, energy) as found,
        ):
            output = self._model(data, compute_force=False)
        if not energy:
            return BackboneOutput(found)
        atomic = output["node_energy"]
        total = atomic.new_zeros(n_frames).index_add(0, graph.frame, atomic)
        return BackboneOutput(found, total, atomic)

    def to(self, device: torch.device | str) -> MACE:
        self._model.to(device)
        self._index_of = self._index_of.to(device)
        return self

    def double(self) -> MACE:
        self._model.double()
        return self

    @property
    def _dtype(self) -> torch.dtype:
        return next(self._model.parameters()).dtype

    def _in_own_precision(self, _module: torch.nn.Module, inputs: tuple) -> tuple:
        return tuple(x.to(self._dtype) if x.is_floating_point() else x for x in inputs)


class Inert:
    """Stands in for a class or function that a pickle names: keeps its data and does nothing.

    Parts are to be had as from a torch.nn.Module, by name, or by number where it is a list.
    """

    path: str  # name of what it stands in for

    def __new__(cls, *arguments: Any) -> Inert:
        self = super().__new__(cls)
        self.__dict__["arguments"] = arguments
        return self

    def __init__(self, *_arguments: Any):
        """Accept anything."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __getattr__(self, name: str) -> Any:
        for kind in ("_parameters", "_buffers", "_modules"):
            parts = self.__dict__.get(kind, {})
            if name in parts:
                return parts[name]
        raise AttributeError(f"its {type(self).__name__} has no {name}")

    def __len__(self) -> int:
        return len(self._parameters) + len(self._modules)

    def __getitem__(self, number: int) -> Any:
        return [*self._parameters.values(), *self._modules.values()][number]

    def __str__(self) -> str:
        """Return Irreps, tuples as e3nn's Irreps, _MulIr and Irrep are, as text: 8x0e+8x1o."""
        (content,) = self.arguments
        kind = type(self).__name__
        if kind == "Irreps":
            return "+".join(map(str, content))
        first, second = content
        return f"{first}x{second}" if kind == "_MulIr" else f"{first}{'e' if second > 0 else 'o'}"


def read_inert(path: str | os.PathLike) -> Inert:
    """Read a pickled MACE model as stand-ins with its data. No code of the file runs.

    mace-torch is not needed. Raises a BackboneError if the file is no such model or names
    anything foreign to one.
    """
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        foreign = [n for n in names if not n.startswith(PARTS) and n not in SMALL_PARTS]
        model: Any = None
        if not foreign:
            inert: list[Any] = [
                (type(n.rpartition(".")[2], (Inert,), {"path": n}), n) for n in names
            ]
            with torch.serialization.safe_globals(inert):
                model = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BackboneError(
            f"{path}: no such file; download the model or correct its path"
        ) from None
    except Exception as error:  # a damaged file fails in many ways
        raise unreadable(path, error, CURE) from error
    if foreign:
        raise untrusted(path, foreign, CURE)
    if getattr(type(model), "path", None) != MODEL:
        raise BackboneError(f"{path}: holds a {type(model).__name__}; {CURE}")
    return model


def _build(
    name: str, pickled: Inert, path: str | os.PathLike
) -> tuple[dict[str, Any], torch.nn.Module]:
    """Return a pickled model's settings, and the frozen network that mace-torch makes of them."""
    modules, read_settings = _mace(name)
    try:
        settings = _settings(read_settings(pickled), modules)
        weights = dict(_weights(pickled))
        fed = list(settings["embedding_specs"] or {})
        misfits = []
        # Made where cuequivariance was lacking, a model is not reduced, whatever it says.
        for reduced in dict.fromkeys([settings["use_reduced_cg"], False]):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="The TorchScript type system")
                model = modules.ScaleShiftMACE(**settings | {"use_reduced_cg": reduced}).float()
            found = _known_weights(weights, model)
            misfits.append(misfit(found, model.state_dict()))
            if not misfits[-1]:
                break
    except Exception as error:  # the settings may be of any form
        raise BackboneError(
            f"{path}: mace-torch cannot build the model ({first_line(error)}); {CURE}"
        ) from error
    if fed:
        raise BackboneError(
            f"{path}: the model depends on {', '.join(fed)}, which frames do not give; {CURE}"
        )
    if misfits[-1]:
        lacking = settings["use_reduced_cg"] and find_spec("cuequivariance_torch") is None
        cure = "install cuequivariance-torch, which it may need" if lacking else CURE
        raise BackboneError(f"{path}: it {misfits[0]}; {cure}")
    model.load_state_dict(found)
    return settings, model.eval().requires_grad_(False)


def _mace(name: str) -> tuple[ModuleType, Any]:
    """Import mace.modules, and mace-torch's function that reads settings off a model's parts."""
    before = os.environ.get(SWITCH)
    try:  # here, since a file can be refused without mace-torch
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of that switch
            from mace import modules
            from mace.tools.scripts_utils import extract_config_mace_model
    except ImportError as error:
        raise BackboneError(
            f"backbone {name!r}: mace-torch is not to be had here ({first_line(error)}); run this "
            "in the environment of envs/mace.yaml"
        ) from error
    finally:
        os.environ.pop(SWITCH, None)
        if before is not None:
            os.environ[SWITCH] = before
    return modules, extract_config_mace_model


def _settings(read: Mapping[str, Any], modules: ModuleType) -> dict[str, Any]:
    """Return what was read off stand-ins, with classes and functions themselves in place."""
    gate, edges = read["gate"], read["edge_irreps"]
    if isinstance(gate, Inert):  # getattr of torch's functions and a name
        gate = gate.arguments[1]
    elif gate is not None:
        gate = gate.__name__
    interactions = modules.interaction_classes
    return dict(read) | {
        "atomic_numbers": read["atomic_numbers"].tolist(),
        "interaction_cls": interactions[read["interaction_cls"].__name__],
        "interaction_cls_first": interactions[read["interaction_cls_first"].__name__],
        "readout_cls": modules.readout_classes[read["readout_cls"].__name__],
        "gate": modules.gate_dict[str(gate)],
        "edge_irreps": None if edges is None else type(read["hidden_irreps"])(str(edges)),
    }


def _weights(part: Inert, prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Return parameters and buffers of a part and its parts, named as in a state_dict."""
    for name, tensor in (part._parameters | part._buffers).items():
        if tensor is not None and name not in part._non_persistent_buffers_set:
            yield prefix + name, tensor
    for name, child in part._modules.items():
        if hasattr(child, "_modules"):  # not so the functions that torch.fx wrote
            yield from _weights(child, f"{prefix}{name}.")


def _known_weights(
    weights: Mapping[str, torch.Tensor], model: torch.nn.Module
) -> dict[str, torch.Tensor]:
    """Return ``weights`` with the model's constants where a file of another version lacks them.

    Constants that other versions had are left out.
    """
    expected = model.state_dict()
    constants = expected.keys() - dict(model.named_parameters()).keys()
    return {name: expected[name] for name in constants} | {
        name: tensor
        for name, tensor in weights.items()
        if name in expected or isinstance(tensor, torch.nn.Parameter)
    }


def _index(heads: Sequence[str], head: str | None, name: str) -> int:
    """Return the number of the energy's head; if none is given, that of mace-torch's calculator."""
    if head is None and len(heads) == 1:
        return 0
    for number, known in enumerate(heads):
        if known == head or (head is None and known.lower() == "default"):
            return number
    raise BackboneError(f"backbone {name!r}: head is {head!r}; the model offers {', '.join(heads)}")


def _scalar_columns(product: Any) -> torch.Tensor:
    """Return the 0e channels among the columns of what a product of MACE returns."""
    irreps = product.linear.irreps_out
    parts = zip(irreps, irreps.slices(), strict=True)
    return torch.cat([torch.arange(irreps.dim)[part] for (_, ir), part in parts if str(ir) == "0e"])


def _scalars(features: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    return features[:, columns]
