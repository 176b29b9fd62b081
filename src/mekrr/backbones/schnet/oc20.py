"""Checkpoints of the Open Catalyst Project's SchNet, read without running code from them."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from mekrr.backbones.schnet.layers import SchNetLayers
from mekrr.backbones.schnet.weights import Weights
from mekrr.backbones.weights import misfit, some
from mekrr.errors import BackboneError, first_line

MAX_NEIGHBOURS = 50  # per atom, as in all SchNet models of OC20
ARCHITECTURE = ("hidden_channels", "num_filters", "num_interactions", "num_gaussians", "cutoff")
FIXED = {"readout": "add", "use_pbc": True}  # values that the adapter can honour
NO_MATTER = (
    "name",
    "otf_graph",
    "regress_forces",
    "regress_relaxed_energy",
    "regress_relaxed_position",
)  # where edges come from, what is trained on


def read_oc20(path: str | os.PathLike) -> Weights:
    """Read a checkpoint in the layout of schnet_all_large.pt.

    It has ``state_dict``, whose keys may begin with ``module.`` once or twice, and ``config`` with
    ``model_attributes``. If it has ``normalizers``, those of ``target`` scale the energy, which for
    OC20 is an adsorption energy in eV.

    Raises
    ------
    BackboneError
        If the file is missing, damaged, holds more than tensors and plain values, or is not a
        SchNet that the adapter can reproduce.
    """
    checkpoint = read_checkpoint(path)
    return Weights(_build(checkpoint, path), *_normalizer(checkpoint, path), MAX_NEIGHBOURS)


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
