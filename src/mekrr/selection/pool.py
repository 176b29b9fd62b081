"""The frames that are compared: coordinates of their atoms, on disk while there are many.

The rows of a pool are those of atoms that count, frame after frame. Memory holds a block of them,
and vectors with an entry for each frame.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mekrr.features.store import FrameFeatures
from mekrr.models.sparse.basis import Part
from mekrr.models.sparse.distances import kernel_between

HELD = 4_000_000  # entries of a block of kernels


def array_on_disk(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return an array of zeros in a temporary file without a name, which is gone with it."""
    if 0 in shape:
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype, "w+", shape=shape)


@dataclass(frozen=True)
class _OfPart:
    """Atoms of a pool that enter one of the sums.

    Attributes
    ----------
    part : the sum. coordinates : (n, d) float32. frames : (n,) the frame of each.
    ends : (n_frames + 1,) where those of each frame begin.
    """

    part: Part
    coordinates: np.ndarray
    frames: np.ndarray
    ends: np.ndarray

    def of(self, frame: int) -> np.ndarray:
        """Return the coordinates (n, d) of the atoms of a frame, float64."""
        return self.coordinates[self.ends[frame] : self.ends[frame + 1]].astype(np.float64)

    def blocks(self, width: int) -> Iterator[slice]:
        """Yield atoms whose kernels with ``width`` others are held at once."""
        step = max(1, HELD // max(width, 1))
        for begin in range(0, len(self.frames), step):
            yield slice(begin, begin + step)

    def kernels(self, some: slice, others: np.ndarray) -> np.ndarray:
        """Return weighted kernels (n, m) of some of the atoms with coordinates (m, d)."""
        rows = np.asarray(self.coordinates[some], dtype=np.float64)
        return self.part.weight * kernel_between(self.part.kernel, rows, others)


class Pool:
    """Frames in the coordinates of a space.

    Parameters
    ----------
    features : of the atoms that count.
    parts : of the space.

    Attributes
    ----------
    counts : (n_frames,) atoms that count.
    """

    def __init__(self, features: FrameFeatures, parts: Sequence[Part]):
        self.counts = features.n_atoms
        owner = np.repeat(np.arange(len(features)), self.counts)
        self._parts = [_of_part(features, owner, part) for part in parts]

    def __len__(self) -> int:
        return len(self.counts)

    def kernel(self, frame: int) -> np.ndarray:
        """Return the kernels (n_frames,) of all frames with one, sums over pairs of atoms."""
        found = np.zeros(len(self))
        for one in self._parts:
            others = one.of(frame)
            for some in one.blocks(len(others)) if len(others) else ():
                sums = one.kernels(some, others).sum(axis=1)
                found += np.bincount(one.frames[some], sums, len(self))
        return found

    def self_kernel(self) -> np.ndarray:
        """Return the kernel (n_frames,) of each frame with itself."""
        found = np.zeros(len(self))
        for one in self._parts:
            for frame in range(len(self)):
                atoms = slice(one.ends[frame], one.ends[frame + 1])
                found[frame] += one.kernels(atoms, one.of(frame)).sum()
        return found

    def sums(self, n_inducing: int) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield frames, and the sums (n, M) over their atoms of kernels with the inducing atoms."""
        for frames in _even(len(self), max(1, HELD // max(n_inducing, 1))):
            found = np.zeros((frames.stop - frames.start, n_inducing))
            for one in self._parts:
                begin, end = one.ends[frames.start], one.ends[frames.stop]
                step = max(1, HELD // max(len(one.part.columns), 1))
                for start in range(begin, end, step):
                    some = slice(start, min(start + step, end))
                    kernels = one.kernels(some, one.part.inducing)
                    own, first = np.unique(one.frames[some], return_index=True)
                    found[np.ix_(own - frames.start, one.part.columns)] += np.add.reduceat(
                        kernels, first, axis=0
                    )
            yield frames, found

    def centre_distances(self) -> np.ndarray:
        """Return the squared distances (n_frames,) of frames' mean coordinates from their mean."""
        found = np.zeros(len(self))
        for one in self._parts:
            means = np.zeros((len(self), one.coordinates.shape[1]))
            for frame in range(len(self)):
                means[frame] = one.of(frame).sum(axis=0) / self.counts[frame]
            apart = means - means.mean(axis=0)
            found += one.part.weight * np.einsum("nd,nd->n", apart, apart)
        return found


def _of_part(features: FrameFeatures, owner: np.ndarray, part: Part) -> _OfPart:
    rows = part.rows_of(features.species)
    coordinates = array_on_disk((len(rows), features.features.shape[1]), np.float32)
    for some in _even(len(rows), max(1, HELD // features.features.shape[1])):
        coordinates[some] = part.scale.apply(features.features[rows[some]], np.float64)
    frames = owner[rows]
    return _OfPart(part, coordinates, frames, np.searchsorted(frames, np.arange(len(features) + 1)))


def _even(n: int, step: int) -> Iterator[slice]:
    """Yield the places of n things, ``step`` at a time."""
    for begin in range(0, n, step):
        yield slice(begin, min(begin + step, n))
