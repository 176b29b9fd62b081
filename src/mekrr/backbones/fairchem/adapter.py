"""UMA and eSEN models of fairchem-core 2, from a local checkpoint or by registered name.

The weights of registered models are gated: whoever uses them has to accept the FAIR Chemistry
License on the model's Hugging Face page (https://huggingface.co/facebook/UMA for UMA) and to
log in once, with ``hf auth login`` or a token in ``HF_TOKEN``; fairchem-core then fetches
them. A copy obtained in that way also works offline, by its path.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from ase import Atoms
from fairchem.core.calculate import pretrained_mlip
from fairchem.core.common.utils import match_state_dict
from fairchem.core.datasets.atomic_data import AtomicData
from fairchem.core.graph.radius_graph_pbc import get_max_neighbors_mask
from fairchem.core.models.base import HydraModel
from fairchem.core.models.uma import escn_md, escn_moe
from fairchem.core.models.uma.compat import apply_uma_compat_fixups
from fairchem.core.modules.normalization.element_references import ElementReferences
from fairchem.core.modules.normalization.normalizer import Normalizer
from fairchem.core.units.mlip_unit.api.inference import MLIPInferenceCheckpoint
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.base import ContainerMetadata, Metadata
from omegaconf.nodes import AnyNode

from mekrr.backbones.base import Backbone, BackboneOutput, frame_number
from mekrr.backbones.graph import AtomGraph, Search, build_graph, search_pairs
from mekrr.backbones.recording import Source, input_of, output_of, recorded
from mekrr.backbones.weights import misfit, unreadable, untrusted
from mekrr.errors import BackboneError, first_line
from mekrr.files import sha256

# What an inference checkpoint holds beside tensors; none of it runs code when unpickled.
HARMLESS = [
    MLIPInferenceCheckpoint,
    *(DictConfig, ListConfig, AnyNode, ContainerMetadata, Metadata),
    *(dict, list, int, defaultdict, Any),
]

# Classes that a checkpoint's settings may name. The library would import any name it finds
# there and call it; a prefix is no guard, since modules re-export others.
PARTS = {
    f"{part.__module__}.{part.__name__}": part
    for part in (
        HydraModel,
        escn_md.eSCNMDBackbone,
        escn_moe.eSCNMDMoeBackbone,
        escn_moe.DatasetSpecificMoEWrapper,
        escn_moe.DatasetSpecificSingleHeadWrapper,
        escn_md.MLP_EFS_Head,
        escn_md.MLP_Energy_Head,
        escn_md.Linear_Energy_Head,
        escn_md.Linear_Force_Head,
        escn_md.MLP_Stress_Head,
        Normalizer,
        ElementReferences,
        torch.DoubleTensor,
    )
}
PARTS["escnmd_backbone"] = escn_md.eSCNMDBackbone
PARTS["escnmd_moe_backbone"] = escn_moe.eSCNMDMoeBackbone
NAMING_KEYS = ("_target_", "model", "module", "head_cls")

CURE = "give an inference checkpoint of fairchem-core 2 with a UMA or eSEN model"

# Our edges, no forces (autograd gives them where wanted), rotations as for inference there.
BACKBONE_SETTINGS = {
    "otf_graph": False,
    "regress_forces": False,
    "regress_stress": False,
    "activation_checkpointing": False,
    "use_quaternion_wigner": True,
}


class FairChem(Backbone):
    """Layers 1…n: the scalar (l = 0) channels of the node embedding after each block.

    Layer n has passed the backbone's final norm too: it is the embedding that the energy
    head reads. Frames are neutral, of spin multiplicity 0 ("not given"; 1 for ``omol``), as
    the library's calculator takes them by default. An atom alone in vacuum gets the
    network's energy, where that calculator may look one up in a table.

    Parameters
    ----------
    name : name in the registry.
    weights : path of an inference checkpoint of fairchem-core 2.
    model : registered name of a model that the library fetches from Hugging Face, such as
        "uma-s-1p1". Exactly one of ``weights`` and ``model`` is given.
    task : data set whose level of theory the model reproduces, such as "oc20"; may be left
        out if the model knows only one.

    Raises
    ------
    BackboneError
        If the arguments do not fit together, the model cannot be fetched or the file is no
        such checkpoint, is damaged or names anything that could run code.
    """

    has_energy = True

    def __init__(
        self,
        name: str,
        weights: str | os.PathLike | None = None,
        model: str | None = None,
        task: str | None = None,
    ):
        if weights is not None and model is None:
            path = Path(weights)
        elif model is not None and weights is None:
            path = _fetch(name, model)
        else:
            raise BackboneError(
                f"backbone {name!r}: give either weights (a checkpoint's path) or model (a "
                "registered name)"
            )
        self.name = name
        checkpoint = _vetted(_read_checkpoint(path), path)
        energies = checkpoint.tasks_config
        if task is None and len(energies) == 1:
            (task,) = energies
        if task not in energies:
            raise BackboneError(
                f"backbone {name!r}: task is {task!r}; "
                f"the model offers {', '.join(sorted(energies))}"
            )
        self._task = task
        self._output = energies[task]["name"]
        self._spin = 1 if task == "omol" else 0
        try:
            self._model = _build_model(checkpoint, path).eval().requires_grad_(False)
            self._normalizer = _build(energies[task]["normalizer"])
            self._references = _build(energies[task].get("element_references"))
        except Exception as error:  # the library's constructors raise whatever they meet
            raise BackboneError(
                f"{path}: fairchem-core cannot build the model ({first_line(error)}); was the "
                "checkpoint written by another version?"
            ) from error
        backbone = self._model.backbone
        # The input of the next block, not the block's output: channels may be balanced between.
        self._sources = {
            **{t: input_of(b, _scalars) for t, b in enumerate(backbone.blocks[1:], start=1)},
            len(backbone.blocks): output_of(backbone.norm, _scalars),
        }
        self.layers = tuple(self._sources)
        self.species = frozenset(range(1, self._model.backbone.max_num_elements))
        self.weights_sha256 = sha256(path)

    def check_species(self, frames: Sequence[Atoms], source: str) -> None:
        """Raise a BackboneError for an unknown element, and for a charge or spin set."""
        super().check_species(frames, source)
        for index, atoms in enumerate(frames):
            for key, value in (("charge", 0), ("spin", self._spin)):
                if atoms.info.get(key, value) != value:
                    raise BackboneError(
                        f"{source}: frame {frame_number(atoms, index)}: {key} {atoms.info[key]}, "
                        f"but backbone {self.name!r} takes only {key} {value}; remove the frame "
                        "or the key"
                    )

    def graph(self, frames: Sequence[Atoms], search: Search = search_pairs) -> AtomGraph:
        backbone = self._model.backbone
        graph = build_graph(frames, backbone.cutoff, search=search)
        # The library's rule: the nearest, and ties within 0.01 Å².
        kept, _ = get_max_neighbors_mask(
            graph.n_atoms,
            graph.centre,
            graph.edge_vectors().square().sum(dim=1),
            backbone.max_neighbors,
        )
        return replace(
            graph,
            centre=graph.centre[kept],
            neighbour=graph.neighbour[kept],
            shift=graph.shift[kept],
        )

    def forward(
        self, graph: AtomGraph, layers: Collection[int] | None = None, energy: bool = True
    ) -> BackboneOutput:
        data = self._atomic_data(graph)
        device = graph.positions.device
        with (
            torch.random.fork_rng([device] if device.type == "cuda" else []),
            recorded(self._sources, layers, energy) as found,
            recorded(_energy_parts(self._model), None, True) as parts,
        ):
            # Each edge's frame is rolled by a random angle, which changes only rounding.
            torch.manual_seed(0)
            prediction = self._model(data)[self._output]["energy"]
        if not energy:
            return BackboneOutput(found)
        total = self._normalizer.denorm(prediction)
        if self._references is not None:
            total = self._references.undo_refs(data, total)
        return BackboneOutput(found, total, self._atomic(parts, graph))

    def to(self, device: torch.device | str) -> FairChem:
        self._model.to(device)
        self._normalizer.to(device)
        if self._references is not None:
            self._references.to(device)
        return self

    def double(self) -> FairChem:
        self._model.double()
        self._normalizer.double()
        return self

    def _atomic(self, parts: dict[int, torch.Tensor], graph: AtomGraph) -> torch.Tensor | None:
        """Return the energies of the atoms, if the energy is made of such: ``parts``, scaled."""
        if not parts or self._normalizer.mean != 0:
            return None
        atomic = self._normalizer.denorm(parts[0])
        if self._references is not None:
            atomic = atomic + self._references.element_references[graph.species]
        return atomic

    def _atomic_data(self, graph: AtomGraph) -> AtomicData:
        """Return the library's batch with our edges, in the precision of the weights."""
        dtype = next(self._model.parameters()).dtype
        n_frames = len(graph.n_atoms)
        positions, shift = graph.strained()
        unused = torch.zeros_like(graph.species)
        return AtomicData(
            pos=positions.to(dtype),
            atomic_numbers=graph.species,
            # Unit cells, since the shifts are in Å already.
            cell=torch.eye(3).to(graph.positions).expand(n_frames, 3, 3),
            pbc=torch.ones(n_frames, 3, dtype=torch.bool, device=graph.positions.device),
            natoms=graph.n_atoms,
            edge_index=torch.stack([graph.neighbour, graph.centre]),
            cell_offsets=shift.to(dtype),
            nedges=torch.bincount(graph.frame[graph.centre], minlength=n_frames),
            charge=torch.zeros_like(graph.n_atoms),
            spin=torch.full_like(graph.n_atoms, self._spin),
            fixed=unused,
            tags=unused,
            batch=graph.frame,
            sid=[""] * n_frames,
            dataset=[self._task] * n_frames,
        )


def _scalars(embedding: torch.Tensor) -> torch.Tensor:
    return embedding[:, 0]


def _energy_parts(model: HydraModel) -> dict[int, Source]:
    """Return where the parts of the energy are had, if it is a sum over atoms, under key 0."""
    heads = [part for part in model.output_heads.modules() if hasattr(part, "energy_block")]
    if len(heads) != 1 or heads[0].reduce != "sum":
        return {}
    return {0: output_of(heads[0].energy_block, lambda out: out.view(-1))}


def _fetch(name: str, model: str) -> Path:
    """Return the path of a registered model's checkpoint, downloaded by the library if need be."""
    registered = pretrained_mlip._MODEL_CKPTS.checkpoints
    if model not in registered:
        raise BackboneError(
            f"backbone {name!r}: fairchem-core has no model {model!r}; "
            f"choose from {', '.join(registered)}"
        )
    try:
        return Path(pretrained_mlip.pretrained_checkpoint_path_from_name(model))
    except Exception as error:  # the hub's client raises whatever its transport met
        raise BackboneError(
            f"backbone {name!r}: {model} cannot be fetched ({first_line(error)}); accept "
            f"the licence on https://huggingface.co/{registered[model].repo_id} and log in with "
            "`hf auth login` or HF_TOKEN, or give a local copy's path as weights"
        ) from error


def _read_checkpoint(path: Path) -> MLIPInferenceCheckpoint:
    """Unpickle an inference checkpoint without running any code from it."""
    try:
        with torch.serialization.safe_globals(HARMLESS):
            foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
            checkpoint = None
            if not foreign:
                checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # a damaged file fails in many ways
        raise unreadable(path, error, CURE) from error
    if foreign:
        raise untrusted(path, foreign, CURE)
    if not isinstance(checkpoint, MLIPInferenceCheckpoint):
        raise BackboneError(f"{path}: holds a {type(checkpoint).__name__}; {CURE}")
    return checkpoint


def _vetted(checkpoint: MLIPInferenceCheckpoint, path: Path) -> MLIPInferenceCheckpoint:
    """Return the checkpoint with plain settings that name nothing but PARTS.

    Its tasks become a dict from data set to the settings of that data set's energy.
    """
    try:
        model = _plain(checkpoint.model_config)
        energies = {
            dataset: {key: task.get(key) for key in ("name", "normalizer", "element_references")}
            for task in _plain(checkpoint.tasks_config)
            if task["property"] == "energy"
            for dataset in task["datasets"]
        }
        foreign = {str(name) for name in _names([model, *energies.values()])} - PARTS.keys()
        checkpoint = replace(checkpoint, model_config=model, tasks_config=energies)
    except Exception as error:  # the settings may be of any form
        raise BackboneError(f"{path}: odd settings ({first_line(error)}); {CURE}") from error
    if foreign:
        raise BackboneError(
            f"{path}: refused, since building it could run code: its settings name "
            f"{', '.join(sorted(foreign))}, no part of a UMA or eSEN model; {CURE}"
        )
    return checkpoint


def _plain(settings: Any) -> Any:
    """Return settings without OmegaConf's containers, references to other settings resolved."""
    if OmegaConf.is_config(settings):
        return OmegaConf.to_container(settings, resolve=True)
    if isinstance(settings, dict):
        return {key: _plain(value) for key, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [_plain(value) for value in settings]
    return settings


def _names(settings: Any) -> Iterator[str]:
    """Return every name in plain settings by which the library would look up a class."""
    if isinstance(settings, dict):
        for key, value in settings.items():
            if key in NAMING_KEYS:
                yield value
            yield from _names(value)
    elif isinstance(settings, list):
        for value in settings:
            yield from _names(value)


def _build(settings: Any) -> Any:
    """Make the object that plain settings name, out of PARTS; other values stay as they are."""
    if not isinstance(settings, dict):
        return settings
    keywords = {k: _build(v) for k, v in settings.items() if k not in ("_target_", "_args_")}
    return PARTS[settings["_target_"]](*settings.get("_args_", ()), **keywords)


def _build_model(checkpoint: MLIPInferenceCheckpoint, path: Path) -> HydraModel:
    """Return the model with the averaged weights, as the library uses it for inference."""
    apply_uma_compat_fixups(checkpoint, str(path))
    settings = checkpoint.model_config
    model = HydraModel(  # without finetune_config, which would open another file
        backbone=settings["backbone"] | BACKBONE_SETTINGS,
        heads=settings["heads"],
        pass_through_head_outputs=settings.get("pass_through_head_outputs", False),
        model_id=settings.get("model_id"),
    )
    weights = {k: v for k, v in checkpoint.ema_state_dict.items() if k != "n_averaged"}
    weights = match_state_dict(model.state_dict(), weights)
    wrong = misfit(weights, model.state_dict())
    if wrong:
        raise ValueError(f"state_dict {wrong}")
    model.load_state_dict(weights)
    return model
