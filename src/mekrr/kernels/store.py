"""Kernels between frames on disk: safetensors, K_0 and every species' share, layer by layer."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from mekrr.files import atomic_path
from mekrr.kernels.gram import SpeciesGram


@dataclass(frozen=True)
class LayerKernel:
    """Kernels of one layer.

    Attributes
    ----------
    gram : (n_frames, n_train), all frames with the training frames.
    own : (n_frames,), each frame with itself.
    lengthscale : σ; NaN for a kernel without.
    """

    gram: SpeciesGram
    own: SpeciesGram
    lengthscale: float


def write_kernels(
    path: str | os.PathLike, kernels: dict[int, LayerKernel], train: np.ndarray
) -> None:
    """Write all layers; ``train`` holds the frame of each column."""
    tensors = {"train": np.asarray(train, dtype=np.int64)}
    for layer, kernel in kernels.items():
        for part in ("gram", "own"):
            values: SpeciesGram = getattr(kernel, part)
            tensors[f"{part}.layer{layer}.all"] = values.k0
            for species, share in values.shares.items():
                tensors[f"{part}.layer{layer}.{species}"] = share
    record = {str(layer): kernel.lengthscale for layer, kernel in kernels.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"lengthscales": json.dumps(record)})


def read_kernels(path: str | os.PathLike) -> tuple[dict[int, LayerKernel], np.ndarray]:
    """Kernels by layer, and the training frames."""
    with safe_open(path, framework="numpy") as file:
        names = file.keys()

        def read(part: str, layer: str) -> SpeciesGram:
            prefix = f"{part}.layer{layer}."
            found = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
            shares = {int(s): file.get_tensor(prefix + s) for s in found if s != "all"}
            return SpeciesGram(file.get_tensor(f"{prefix}all"), dict(sorted(shares.items())))

        lengthscales = json.loads(file.metadata()["lengthscales"])
        kernels = {
            int(layer): LayerKernel(read("gram", layer), read("own", layer), sigma)
            for layer, sigma in lengthscales.items()
        }
        return kernels, file.get_tensor("train")
