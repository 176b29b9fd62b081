"""Atom features on disk: safetensors, atoms flat with a frame pointer."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mekrr.errors import DataError
from mekrr.files import atomic_path


@dataclass(frozen=True)
class FrameFeatures:
    """Features of the atoms of several frames, which may differ in size and species.

    Attributes
    ----------
    features : (n_atoms, d), one row per atom, frame after frame.
    species : (n_atoms,) int, atomic numbers.
    pointer : (n_frames + 1,) int; frame t owns rows ``pointer[t]:pointer[t + 1]``.
    """

    features: np.ndarray
    species: np.ndarray
    pointer: np.ndarray

    def __len__(self) -> int:
        return len(self.pointer) - 1

    @property
    def n_atoms(self) -> np.ndarray:
        """(n_frames,) int, atoms of each frame."""
        return np.diff(self.pointer)

    def select(self, frames: Sequence[int]) -> FrameFeatures:
        """The given frames, in the given order."""
        frames = np.asarray(frames, dtype=int)
        rows = np.concatenate([np.arange(self.pointer[t], self.pointer[t + 1]) for t in frames])
        pointer = np.concatenate([[0], np.cumsum(self.n_atoms[frames])])
        return FrameFeatures(self.features[rows], self.species[rows], pointer)


def write_features(
    path: str | os.PathLike,
    layers: dict[int, np.ndarray],
    species: np.ndarray,
    pointer: np.ndarray,
    gnn_energy: np.ndarray | None,
    provenance: dict[str, str],
) -> None:
    """Write all layers of one data set and backbone, whole or not at all.

    ``gnn_energy`` is the network's own total energy per frame (eV), if it has one.
    """
    tensors = {f"layer{layer}": np.ascontiguousarray(h) for layer, h in layers.items()}
    tensors["species"] = np.asarray(species, dtype=np.int32)
    tensors["pointer"] = np.asarray(pointer, dtype=np.int64)
    if gnn_energy is not None:
        tensors["gnn_energy"] = np.asarray(gnn_energy, dtype=np.float64)
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"provenance": json.dumps(provenance)})


def read_layer(path: str | os.PathLike, layer: int) -> FrameFeatures:
    """Features of one layer; raises a DataError if the file is damaged or lacks the layer."""
    with _opened(path) as file:
        names = set(file.keys())
        if f"layer{layer}" not in names:
            stored = ", ".join(sorted(k.removeprefix("layer") for k in names if "layer" in k))
            raise DataError(
                f"{path}: has no layer {layer}, only {stored}; correct `layers` in the config"
            )
        return FrameFeatures(
            file.get_tensor(f"layer{layer}"), file.get_tensor("species"), file.get_tensor("pointer")
        )


def read_gnn_energy(path: str | os.PathLike) -> np.ndarray | None:
    """The network's own energies (n_frames,) in eV, or None if it has none."""
    with _opened(path) as file:
        names = set(file.keys())
        return file.get_tensor("gnn_energy") if "gnn_energy" in names else None


def read_provenance(path: str | os.PathLike) -> dict[str, str]:
    """Versions, weights' checksum, dtype and device that the features were made with."""
    with _opened(path) as file:
        return json.loads(file.metadata()["provenance"])


def _opened(path: str | os.PathLike):
    try:
        return safe_open(path, framework="numpy")
    except SafetensorError as error:
        raise DataError(
            f"{path}: damaged feature file ({error}); delete it and run again"
        ) from error
