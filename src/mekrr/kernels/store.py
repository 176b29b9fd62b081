"""Kernels between frames on disk: safetensors, K_0 and every species' share, layer by layer.

Layout, per layer: ``gram.layerN.all`` and ``gram.layerN.Z`` (n_frames, n_train) float64,
K_0 and the share of each species; ``own.layerN.all`` and ``own.layerN.Z`` (n_frames,), each
frame with itself; ``lengthscale.layerN``. ``train`` holds the frame of each column.

A layer takes 8 n_frames n_train (1 + n_species) bytes: 7.7 GB for 20,000 frames of three
species, 12,000 of them for training.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from mekrr.kernels.gram import Gram
from mekrr.tensors import TensorFile, TensorWriter, tensor_writer, write_tensors


class KernelWriter:
    """Writes parts of Gram matrices; made by `kernel_writer`."""

    def __init__(self, writer: TensorWriter):
        self._writer = writer

    def write(
        self, layer: int, share: int | str, frames: np.ndarray, column: int, values: np.ndarray
    ) -> None:
        """Write the kernels (n, m) of some frames with training frames from ``column`` on.

        ``share`` is a species, or "all" for K_0.
        """
        ends = np.flatnonzero(np.diff(frames) != 1) + 1
        for rows in np.split(np.arange(len(frames)), ends):  # runs of consecutive frames
            self._writer.write(
                f"gram.layer{layer}.{share}",
                values[rows[0] : rows[-1] + 1],
                int(frames[rows[0]]),
                int(column),
            )


@contextmanager
def kernel_writer(
    path: str | os.PathLike,
    train: np.ndarray,
    own: Mapping[int, Gram],
    lengthscales: Mapping[int, float],
) -> Iterator[KernelWriter]:
    """Open a kernel file to write its Gram matrices part by part.

    Parameters
    ----------
    train : frame of each column.
    own : per layer, kernels of each frame with itself; their species are the shares to write.
    lengthscales : σ of each layer.
    """
    small: dict[str, Any] = {"train": np.asarray(train, dtype=np.int64)}
    layout: dict[str, tuple[tuple[int, ...], Any]] = {}
    for layer, itself in own.items():
        small |= named_shares(f"own.layer{layer}", itself)
        small[f"lengthscale.layer{layer}"] = np.float64(lengthscales[layer])
        shape = (len(itself.k0), len(train))
        for share in ("all", *itself.shares):
            layout[f"gram.layer{layer}.{share}"] = (shape, np.float64)
    layout |= {name: (values.shape, values.dtype) for name, values in small.items()}
    with tensor_writer(path, layout, {}) as writer:
        for name, values in small.items():
            writer.write(name, values)
        yield KernelWriter(writer)


def write_kernels(path: str | os.PathLike, kernels: Mapping[int, Gram], train: np.ndarray) -> None:
    """Write all layers; ``train`` holds the frame of each column."""
    tensors: dict[str, Any] = {"train": np.asarray(train, dtype=np.int64)}
    for layer, kernel in kernels.items():
        assert kernel.self_kernel is not None
        tensors |= named_shares(f"gram.layer{layer}", kernel)
        tensors |= named_shares(f"own.layer{layer}", kernel.self_kernel)
        tensors[f"lengthscale.layer{layer}"] = np.float64(kernel.lengthscale)
    write_tensors(path, tensors, {})


def read_kernels(path: str | os.PathLike) -> tuple[Mapping[int, Gram], np.ndarray]:
    """Kernels by layer, and the training frames.

    A layer is opened when it is asked for; its arrays are read-only memory maps.
    """
    file = TensorFile(path)
    return _StoredKernels(file), np.array(file.read("train"))


class _StoredKernels(Mapping):
    """Layers of a kernel file; ``items()`` and ``[layer]`` open one at a time."""

    def __init__(self, file: TensorFile):
        self._file = file
        found = (re.fullmatch(r"gram\.layer(\d+)\.all", name) for name in file.names)
        self._layers = sorted(int(match[1]) for match in found if match)

    def __getitem__(self, layer: int) -> Gram:
        if layer not in self._layers:
            raise KeyError(layer)
        return replace(
            read_shares(self._file, f"gram.layer{layer}"),
            self_kernel=read_shares(self._file, f"own.layer{layer}"),
            lengthscale=float(self._file.read(f"lengthscale.layer{layer}")),
        )

    def __iter__(self) -> Iterator[int]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


def named_shares(prefix: str, gram: Gram) -> dict[str, np.ndarray]:
    """The arrays of a Gram matrix by their names on disk."""
    return {
        f"{prefix}.all": gram.k0,
        **{f"{prefix}.{species}": share for species, share in gram.shares.items()},
    }


def read_shares(file: TensorFile, prefix: str) -> Gram:
    """The reverse of `named_shares`, as memory maps."""
    found = [
        name.removeprefix(f"{prefix}.") for name in file.names if name.startswith(f"{prefix}.")
    ]
    species = sorted(int(share) for share in found if share != "all")
    return Gram(file.read(f"{prefix}.all"), {s: file.read(f"{prefix}.{s}") for s in species})
