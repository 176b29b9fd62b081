"""What all blocks of a Gram matrix share, found once: coordinates and each frame's own kernel."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mekrr.features.store import read_layer
from mekrr.kernels.atom import KERNELS, Radial
from mekrr.kernels.cells import Cells
from mekrr.kernels.engine.coordinates import Coordinates
from mekrr.kernels.gram import Gram, self_gram
from mekrr.kernels.lengthscale import find_lengthscale
from mekrr.kernels.store import named_shares, read_shares
from mekrr.tensors import TensorFile, write_tensors

DTYPE = np.float32  # of the products


@dataclass(frozen=True)
class Prepared:
    """What is found once for all blocks.

    Attributes
    ----------
    atom : name of the atom kernel, one with a lengthscale.
    train : (n_train,) frames of the columns.
    n_atoms : (n_frames,) atoms of each frame.
    coordinates : per layer, in which atoms are compared, the lengthscale among them.
    own : per layer, (n_frames,) kernels of each frame with itself.
    """

    atom: str
    train: np.ndarray
    n_atoms: np.ndarray
    coordinates: dict[int, Coordinates]
    own: dict[int, Gram]

    @classmethod
    def of(
        cls,
        features: str | os.PathLike,
        layers: Sequence[int],
        train: np.ndarray,
        lengthscale: str | float,
        *,
        atom: str = "gaussian",
        threads: int,
    ) -> Prepared:
        """Find it for a file of features; ``lengthscale`` is a rule of `find_lengthscale`."""
        coordinates, own = {}, {}
        for layer in layers:
            frames = read_layer(features, layer)
            sigma = find_lengthscale(frames, train, lengthscale, threads=threads)
            logging.info("layer %d: lengthscale %.6g", layer, sigma)
            # As if read back: the order of an array in memory may decide its last digits.
            coordinates[layer] = _coordinates(_arrays(Coordinates.of([frames], sigma, DTYPE)))
            own[layer] = self_gram(frames, KERNELS[atom](sigma))
        return cls(atom, np.asarray(train, dtype=np.int64), frames.n_atoms, coordinates, own)

    def cells(self, n_parts: int) -> Cells:
        """All frames in so many parts."""
        return Cells(self.train, self.n_atoms, n_parts)

    def kernel(self, layer: int) -> Radial:
        """Return the atom kernel of a layer."""
        return KERNELS[self.atom](self.coordinates[layer].lengthscale)

    @property
    def layers(self) -> list[int]:
        return list(self.coordinates)

    @property
    def lengthscales(self) -> dict[int, float]:
        """σ of each layer."""
        return {layer: found.lengthscale for layer, found in self.coordinates.items()}

    def write(self, path: str | os.PathLike) -> None:
        tensors = {"train": self.train, "n_atoms": self.n_atoms}
        for layer in self.layers:
            for name, values in _arrays(self.coordinates[layer]).items():
                tensors[f"coordinates.layer{layer}.{name}"] = values
            tensors |= named_shares(f"own.layer{layer}", self.own[layer])
        write_tensors(path, tensors, {"layers": json.dumps(self.layers), "atom": self.atom})

    @classmethod
    def read(cls, path: str | os.PathLike) -> Prepared:
        """Raises a DataError if the file is damaged."""
        file = TensorFile(path)
        coordinates, own = {}, {}
        for layer in json.loads(file.metadata["layers"]):
            prefix = f"coordinates.layer{layer}."
            names = [name for name in file.names if name.startswith(prefix)]
            coordinates[layer] = _coordinates(
                {name.removeprefix(prefix): np.array(file.read(name)) for name in names}
            )
            own[layer] = read_shares(file, f"own.layer{layer}")
        train, n_atoms = np.array(file.read("train")), np.array(file.read("n_atoms"))
        return cls(file.metadata["atom"], train, n_atoms, coordinates, own)


def _arrays(coordinates: Coordinates) -> dict[str, np.ndarray]:
    values = {field.name: getattr(coordinates, field.name) for field in fields(coordinates)}
    return {name: np.array(v, order="C") for name, v in values.items() if v is not None}


def _coordinates(arrays: Mapping[str, np.ndarray]) -> Coordinates:
    values: dict[str, Any] = {name: v if v.ndim else v.item() for name, v in arrays.items()}
    given: dict[str, Any] = {field.name: values.get(field.name) for field in fields(Coordinates)}
    return Coordinates(**given)
