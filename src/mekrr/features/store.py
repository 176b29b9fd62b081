"""Atom features on disk: safetensors, atoms flat with a frame pointer.

Files are written row by row and read as memory maps, so that neither needs a data set's
features in main memory. Layout: ``layerN`` (n_atoms, d) float32 or float16, ``species``
(n_atoms,) int32, ``pointer`` (n_frames + 1,) int64 and, if the network has an energy,
``gnn_energy`` (n_frames,) float64 in eV.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from mekrr.errors import DataError
from mekrr.tensors import TensorFile, TensorWriter, tensor_writer


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

    def __getitem__(self, frame: int) -> FrameFeatures:
        """One frame; scikit-learn cuts folds out frame by frame."""
        return self.select([range(len(self))[frame]])

    @property
    def n_atoms(self) -> np.ndarray:
        """(n_frames,) int, atoms of each frame."""
        return np.diff(self.pointer)

    def composition(self) -> dict[int, np.ndarray]:
        """Return the part (n_frames,) of each frame's atoms that are of each atomic number."""
        owner = np.repeat(np.arange(len(self)), self.n_atoms)
        counts = {
            int(s): np.bincount(owner[self.species == s], minlength=len(self))
            for s in np.unique(self.species)
        }
        return {s: count / self.n_atoms for s, count in counts.items()}

    def atoms_of(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """Rows of the given frames' atoms, in the given order."""
        rows = [np.arange(self.pointer[t], self.pointer[t + 1]) for t in frames]
        return np.concatenate([np.zeros(0, dtype=int), *rows])

    def select(self, frames: Sequence[int] | np.ndarray) -> FrameFeatures:
        """The given frames, in the given order."""
        rows = self.atoms_of(frames)
        pointer = np.concatenate([[0], np.cumsum(self.n_atoms[np.asarray(frames, dtype=int)])])
        return FrameFeatures(self.features[rows], self.species[rows], pointer)


class FeatureWriter:
    """Appends features, frames in order; made by `feature_writer`."""

    def __init__(self, writer: TensorWriter):
        self._writer = writer
        self._rows: Counter[str] = Counter()

    def append(self, name: str, values: np.ndarray) -> None:
        """Write the next rows of a tensor."""
        self._writer.write(name, values, self._rows[name])
        self._rows[name] += len(values)


@contextmanager
def feature_writer(
    path: str | os.PathLike,
    widths: Mapping[int, int],
    species: np.ndarray,
    pointer: np.ndarray,
    *,
    has_energy: bool,
    dtype: str,
    provenance: Mapping[str, str],
) -> Iterator[FeatureWriter]:
    """Open a feature file for `FeatureWriter.append`; it appears whole or not at all.

    Parameters
    ----------
    widths : from layer to the number of its features.
    species : (n_atoms,) atomic numbers. pointer : (n_frames + 1,).
    has_energy : whether ``gnn_energy`` will be written.
    dtype : "float32" or "float16", of the stored features.
    """
    layout: dict[str, tuple[tuple[int, ...], str]]
    layout = {f"layer{layer}": ((len(species), d), dtype) for layer, d in widths.items()}
    layout |= {"species": ((len(species),), "<i4"), "pointer": ((len(pointer),), "<i8")}
    if has_energy:
        layout["gnn_energy"] = ((len(pointer) - 1,), "<f8")
    with tensor_writer(path, layout, {"provenance": json.dumps(dict(provenance))}) as writer:
        writer.write("species", species)
        writer.write("pointer", pointer)
        yield FeatureWriter(writer)


def shard_frames(n_frames: int, shard: int, n_shards: int) -> range:
    """Return the frames of a shard."""
    bounds = np.linspace(0, n_frames, n_shards + 1).round().astype(int)
    return range(int(bounds[shard]), int(bounds[shard + 1]))


def shard_bytes(offsets: Sequence[int], shard: int, n_shards: int) -> tuple[int, int | None]:
    """First byte and end of a shard's frames, from the bytes at which all frames begin.

    The end of the last shard is None, the end of the file.
    """
    frames = shard_frames(len(offsets), shard, n_shards)
    end = int(offsets[frames.stop]) if frames.stop < len(offsets) else None
    return int(offsets[frames.start]), end


def merge_shards(path: str | os.PathLike, shards: Sequence[str | os.PathLike]) -> None:
    """Join the shards of one data set and backbone in order, a block at a time.

    They are files of features, or of directions (`mekrr.features.directions_store`).

    Raises a DataError if they were made with different layers, weights or settings.
    """
    files = [TensorFile(shard) for shard in shards]
    records = [_provenance(file) for file in files]
    widths = [_widths(file) for file in files]
    for shard, record, width in zip(shards, records, widths, strict=True):
        for key in ("backbone", "weights_sha256", "dtype", "atoms", "directions"):
            if record.get(key) != records[0].get(key) or width != widths[0]:
                raise DataError(
                    f"{shard}: made with other {key if width == widths[0] else 'layers'} than "
                    f"{shards[0]}; delete the shards and run again"
                )
    layout: dict[str, tuple[tuple[int, ...], str]] = {}
    for name in files[0].names:
        parts = [file.read(name) for file in files]
        layout[name] = ((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype.str)
    counts = {}
    if "pointer" in layout:  # a frame more than there are begins where the last one ends
        counts["pointer"] = np.concatenate([np.diff(file.read("pointer")) for file in files])
        layout["pointer"] = ((len(counts["pointer"]) + 1,), layout["pointer"][1])
    record = records[0] | {"device": ", ".join(sorted({r["device"] for r in records}))}
    with tensor_writer(path, layout, {"provenance": json.dumps(record)}) as writer:
        for name, sizes in counts.items():
            writer.write(name, np.concatenate([[0], np.cumsum(sizes)]))
        rows = FeatureWriter(writer)
        for name in (name for name in layout if name not in counts):
            for file in files:
                for block in file.blocks(name):
                    rows.append(name, block)


def join_frames(first: FrameFeatures, second: FrameFeatures) -> FrameFeatures:
    """Return the features of the frames of both, the first's first.

    Raises a DataError if they are not of the same width.
    """
    widths = first.features.shape[1], second.features.shape[1]
    if widths[0] != widths[1]:
        raise DataError(
            f"features of two data sets are {widths[0]} and {widths[1]} wide; list the species of "
            "both in the backbone's options"
        )
    return FrameFeatures(
        np.concatenate([first.features, second.features]),
        np.concatenate([first.species, second.species]),
        np.concatenate([first.pointer, first.pointer[-1] + second.pointer[1:]]),
    )


def read_layer(path: str | os.PathLike, layer: int) -> FrameFeatures:
    """Features of one layer as a memory map, float32 or float16.

    Raises a DataError if the file is damaged or lacks the layer.
    """
    file = TensorFile(path)
    features = layer_of(file, path, layer)
    species, pointer = np.array(file.read("species")), np.array(file.read("pointer"))
    return FrameFeatures(features, species, pointer)


def layer_of(file: TensorFile, path: str | os.PathLike, layer: int) -> np.ndarray:
    """Rows of one layer as a memory map; a DataError, opened by ``path``, without it."""
    if f"layer{layer}" not in file.names:
        stored = ", ".join(str(k) for k in sorted(_widths(file)))
        raise DataError(f"{path}: has no layer {layer}, only {stored}; choose `layers` among these")
    return file.read(f"layer{layer}")


def stored_layers(path: str | os.PathLike) -> list[int]:
    """All layers of a feature file, also those that no fit uses."""
    return sorted(_widths(TensorFile(path)))


def read_gnn_energy(path: str | os.PathLike) -> np.ndarray | None:
    """The network's own energies (n_frames,) in eV, or None if it has none."""
    file = TensorFile(path)
    return np.array(file.read("gnn_energy")) if "gnn_energy" in file.names else None


def read_provenance(path: str | os.PathLike) -> dict[str, str]:
    """Versions, weights' checksum, dtype and device that the features were made with."""
    return _provenance(TensorFile(path))


def _provenance(file: TensorFile) -> dict[str, str]:
    return json.loads(file.metadata["provenance"])


def _widths(file: TensorFile) -> dict[int, int]:
    layers = [name for name in file.names if name.startswith("layer")]
    return {int(name.removeprefix("layer")): file.read(name).shape[1] for name in layers}
