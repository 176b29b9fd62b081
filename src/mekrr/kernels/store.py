"""Kernels between frames on disk: safetensors, K_0 and K_1 of every layer."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from mekrr.files import atomic_path


@dataclass(frozen=True)
class LayerKernel:
    """Kernels of one layer between all frames and the training frames.

    Attributes
    ----------
    k0, k1 : (n_frames, n_train) float64.
    """

    k0: np.ndarray
    k1: np.ndarray


def write_kernels(
    path: str | os.PathLike,
    kernels: dict[int, LayerKernel],
    train: np.ndarray,
    lengthscales: dict[int, float],
) -> None:
    """Write all layers; ``train`` holds the frame of each column."""
    tensors = {"train": np.asarray(train, dtype=np.int64)}
    for layer, kernel in kernels.items():
        tensors[f"k0.layer{layer}"] = kernel.k0
        tensors[f"k1.layer{layer}"] = kernel.k1
    metadata = {"lengthscales": json.dumps({str(k): v for k, v in lengthscales.items()})}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def read_kernels(
    path: str | os.PathLike,
) -> tuple[dict[int, LayerKernel], np.ndarray, dict[int, float]]:
    """Kernels by layer, the training frames, and the lengthscale of each layer."""
    with safe_open(path, framework="numpy") as file:
        lengthscales = {int(k): v for k, v in json.loads(file.metadata()["lengthscales"]).items()}
        kernels = {
            layer: LayerKernel(
                file.get_tensor(f"k0.layer{layer}"), file.get_tensor(f"k1.layer{layer}")
            )
            for layer in lengthscales
        }
        return kernels, file.get_tensor("train"), lengthscales
