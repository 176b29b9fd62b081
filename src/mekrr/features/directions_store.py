"""Derivatives of features along directions of frames, in memory and on disk.

Files are written row by row and read as memory maps, as those of features are. Layout, with q
directions of a frame of N atoms, n of which are selected: ``layerN`` (Σ q n, d) float32 in 1/Å,
``vectors`` (Σ q N, 3) float64, the unit vectors, ``counts``, ``n_atoms`` and ``sizes``
(n_frames,) int64, q, n and N of each frame and, if the network has an energy, ``network`` (Σ q,)
float64 in eV/Å.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mekrr.features.store import FeatureWriter, FrameFeatures, layer_of
from mekrr.tensors import TensorFile, tensor_writer


@dataclass(frozen=True)
class FrameDirections:
    """Derivatives of the features of several frames along directions of each.

    Attributes
    ----------
    derivatives : (Σ q n, d) 1/Å: of each frame those of its q directions, of each of these the
        rows of its n selected atoms.
    counts : (n_frames,) int, directions of each frame.
    n_atoms : (n_frames,) int, selected atoms of each frame.
    network : (Σ q,) eV/Å, the derivatives of the network's own energy; None if it has none.
    """

    derivatives: np.ndarray
    counts: np.ndarray
    n_atoms: np.ndarray
    network: np.ndarray | None

    @classmethod
    def none(cls, features: FrameFeatures) -> FrameDirections:
        """Return no directions at all, of frames with these features."""
        empty = np.zeros((0, features.features.shape[1]), dtype=np.float32)
        return cls(empty, np.zeros(len(features), dtype=int), features.n_atoms, np.zeros(0))

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def begins(self) -> np.ndarray:
        """(n_frames,) the first of each frame's among all directions."""
        return np.cumsum(self.counts) - self.counts

    def of(self, frame: int) -> np.ndarray:
        """Return the derivatives (q, n, d) of a frame."""
        q, n = self.counts[frame], self.n_atoms[frame]
        begin = self._rows[frame]
        rows = self.derivatives[begin : begin + q * n]
        return rows.reshape(q, n, self.derivatives.shape[1])

    def select(self, frames: Sequence[int] | np.ndarray) -> FrameDirections:
        """The given frames, in the given order."""
        frames = np.asarray(frames, dtype=int)
        sizes = self.counts * self.n_atoms
        return FrameDirections(
            self.derivatives[_joined(self._rows, sizes, frames)],
            self.counts[frames],
            self.n_atoms[frames],
            None if self.network is None else self.network[self.places(frames)],
        )

    def keep(self, kept: np.ndarray) -> FrameDirections:
        """Some of the directions, (Σ q,) bool, of all frames; in memory."""
        frame = np.repeat(np.arange(len(self)), self.counts)
        return FrameDirections(
            self.derivatives[np.repeat(kept, self.n_atoms[frame])],
            np.bincount(frame[kept], minlength=len(self)),
            self.n_atoms,
            None if self.network is None else self.network[kept],
        )

    def places(self, frames: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the places of the given frames' directions among all."""
        return _joined(self.begins, self.counts, np.asarray(frames, dtype=int))

    @cached_property
    def _rows(self) -> np.ndarray:
        sizes = self.counts * self.n_atoms
        return np.cumsum(sizes) - sizes


def _joined(begins: np.ndarray, sizes: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    parts = [np.arange(begins[t], begins[t] + sizes[t]) for t in chosen]
    return np.concatenate([np.zeros(0, dtype=int), *parts])


@contextmanager
def directions_writer(
    path: str | os.PathLike,
    widths: Mapping[int, int],
    directions: Sequence[np.ndarray],
    n_atoms: np.ndarray,
    *,
    has_energy: bool,
    provenance: Mapping[str, str],
) -> Iterator[FeatureWriter]:
    """Open a file of directions for `FeatureWriter.append`; it appears whole or not at all.

    Parameters
    ----------
    widths : from layer to the number of its features.
    directions : of each frame, (q, N, 3) unit vectors.
    n_atoms : (n_frames,) selected atoms. has_energy : whether ``network`` will be written.
    """
    counts = np.array([len(v) for v in directions], dtype=np.int64)
    sizes = np.array([v.shape[1] for v in directions], dtype=np.int64)
    n_rows = int(counts @ n_atoms)
    layout: dict[str, tuple[tuple[int, ...], str]]
    layout = {f"layer{layer}": ((n_rows, d), "<f4") for layer, d in widths.items()}
    layout |= {name: ((len(counts),), "<i8") for name in ("counts", "n_atoms", "sizes")}
    layout["vectors"] = ((int(counts @ sizes), 3), "<f8")
    if has_energy:
        layout["network"] = ((int(counts.sum()),), "<f8")
    with tensor_writer(path, layout, {"provenance": json.dumps(dict(provenance))}) as writer:
        for name, values in (("counts", counts), ("n_atoms", n_atoms), ("sizes", sizes)):
            writer.write(name, np.asarray(values, dtype=np.int64))
        yield FeatureWriter(writer)


def read_directions(path: str | os.PathLike, layer: int) -> FrameDirections:
    """Derivatives of the features of one layer as a memory map.

    Raises a DataError if the file is damaged or lacks the layer.
    """
    file = TensorFile(path)
    derivatives = layer_of(file, path, layer)
    counts, n_atoms = (np.array(file.read(name)) for name in ("counts", "n_atoms"))
    network = np.array(file.read("network")) if "network" in file.names else None
    return FrameDirections(derivatives, counts, n_atoms, network)


def read_vectors(path: str | os.PathLike) -> list[np.ndarray]:
    """The unit vectors (q, N, 3) of each frame, memory maps."""
    file = TensorFile(path)
    counts, sizes, vectors = (file.read(name) for name in ("counts", "sizes", "vectors"))
    ends = np.cumsum(counts * sizes)[:-1]
    parts = zip(np.split(vectors, ends), counts, sizes, strict=True)
    return [rows.reshape(q, n, 3) for rows, q, n in parts]
