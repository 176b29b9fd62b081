"""Sums of an atom kernel over the atom pairs of a few frames with a few frames: a tile.

With w, q the features as `Coordinates.prepared` gives them, the exponent of atoms i, j of
species s, t is

    -|h_i - h_j|²/2σ² = w_i·w_j - q_i[t] - q_j[s]

so that atoms of one species, whose kernel values are the large ones, are compared by small
numbers. q is computed in float64 and enters the product as extra columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np

from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Radial
from mekrr.kernels.engine.coordinates import Coordinates
from mekrr.kernels.engine.plan import Band, span

BATCH_ATOMS = 384  # atoms prepared at once: their float64 features stay in the cache
LONGEST_SUM = 64  # float32 numbers added one after another, before float64 takes over


@dataclass(frozen=True)
class Operand:
    """Consecutive frames as one side of the product, atoms sorted by frame, then species.

    A segment is the run of atoms of one species in one frame.

    Attributes
    ----------
    first : number of the first frame; the attributes below count from there.
    values : (n_atoms, r + 2 n_species), rows of the product's operand.
    pointer : (n_frames + 1,), first atom of each frame.
    starts : (n_segments,), first atom of each segment.
    place : (n_segments,), frame × n_species + species of each segment.
    first_segment : (n_frames + 1,), first segment of each frame.
    counts : (n_frames, n_species), atoms of each species in each frame.
    """

    first: int
    values: Any
    pointer: np.ndarray
    starts: np.ndarray
    place: np.ndarray
    first_segment: np.ndarray
    counts: np.ndarray

    def mirrored(self) -> Operand:
        """Return the same frames as the right side of the product, for those of the left side."""
        n_species = self.counts.shape[1]
        width = self.values.shape[1] - 2 * n_species
        columns = (slice(width), slice(width + n_species, None), slice(width, width + n_species))
        xp = np if isinstance(self.values, np.ndarray) else Device.torch()
        return replace(self, values=xp.hstack([self.values[:, part] for part in columns]))


def operand(
    frames: FrameFeatures,
    panel: list[Band],
    coordinates: Coordinates,
    *,
    right: bool,
    dtype: type,
    device: Any,
    pool: ThreadPoolExecutor,
) -> Operand:
    """Make a panel one side of the product, left or right, on ``device`` or for numpy."""
    part = span(panel)
    species = coordinates.species
    n_species = len(species)
    pointer = frames.pointer[part.start : part.stop + 1]
    begin, end = int(pointer[0]), int(pointer[-1])
    kind = np.searchsorted(species, frames.species[begin:end])
    segment = np.repeat(np.arange(len(pointer) - 1), np.diff(pointer)) * n_species + kind
    order = np.argsort(segment, kind="stable")
    kind, segment = kind[order], segment[order]
    width = coordinates.width
    values: np.ndarray = np.empty((end - begin, width + 2 * n_species), dtype)
    hot, square = values[:, width : width + n_species], values[:, width + n_species :]
    if not right:
        hot, square = square, hot
    hot[:] = np.eye(n_species)[kind]

    # Strip by strip, since the projection too is a product whose shape decides its rounding.
    begins = [int(frames.pointer[strip.start]) - begin for band in panel for strip in band]
    batches = [
        slice(first, min(first + BATCH_ATOMS, stop))
        for start, stop in pairwise([*begins, len(values)])
        for first in range(start, stop, BATCH_ATOMS)
    ]

    def fill(batch: slice) -> None:
        values[batch, :width], squares = coordinates.prepared(frames, begin + order[batch], dtype)
        np.negative(squares, out=square[batch])

    list(pool.map(fill, batches))
    starts = np.flatnonzero(np.diff(segment, prepend=-1))
    place = segment[starts]
    n_frames = len(pointer) - 1
    return Operand(
        first=part.start,
        values=values if device is None else Device(device).take(values),
        pointer=pointer - begin,
        starts=starts,
        place=place,
        first_segment=np.searchsorted(place, n_species * np.arange(n_frames + 1)),
        counts=np.bincount(segment, minlength=n_frames * n_species).reshape(n_frames, n_species),
    )


class Host:
    """Tiles by numpy; one for each thread, since it reuses the memory of its tile."""

    def __init__(self, largest_tile: int, dtype: type):
        # Pages of a fresh array are a fault each, and threads wait for each other there.
        self._workspace: np.ndarray = np.empty(largest_tile, dtype)

    def segment_sums(
        self,
        left: np.ndarray,
        right: np.ndarray,
        left_starts: np.ndarray,
        right_starts: np.ndarray,
        kernel: Radial,
    ) -> np.ndarray:
        """Sum k(h_i, h_j) over atoms of two segments: (n_left, n_right segments) float64."""
        shape = len(left), len(right)
        exponent = self._workspace[: shape[0] * shape[1]].reshape(shape)
        np.matmul(left, right.T, out=exponent)
        kernel.apply(exponent, np)
        # Whole rows are added, which is several times as fast as np.add.reduceat there.
        runs = list(_runs(left_starts, shape[0]))
        rows = np.empty((len(runs), shape[1]), exponent.dtype)
        for row, (begin, end) in zip(rows, runs, strict=True):
            np.add.reduce(exponent[begin:end], axis=0, out=row)
        first_run = np.searchsorted([begin for begin, _ in runs], left_starts)
        sums = np.add.reduceat(rows.astype(np.float64), right_starts, axis=1)
        return np.add.reduceat(sums, first_run, axis=0)


class Device:
    """Tiles by torch, on the device given."""

    def __init__(self, device: Any):
        self._torch, self._device = self.torch(), device

    @staticmethod
    def torch() -> ModuleType:
        """Import PyTorch, which takes seconds that the CPU's path does not need."""
        import torch

        return torch

    def take(self, values: np.ndarray) -> Any:
        """Put an array on the device, as a tensor."""
        return self._torch.from_numpy(values).to(self._device)

    def segment_sums(
        self,
        left: Any,
        right: Any,
        left_starts: np.ndarray,
        right_starts: np.ndarray,
        kernel: Radial,
    ) -> np.ndarray:
        """Do as `Host.segment_sums`."""
        exponent = left @ right.T
        kernel.apply(exponent, self._torch)
        rows = self._one_hot(left_starts, left).T @ exponent
        sums = rows.double() @ self._one_hot(right_starts, right).double()
        return sums.cpu().numpy()

    def _one_hot(self, starts: np.ndarray, values: Any) -> Any:
        """Return (n_atoms, n_segments): 1 where the atom is in the segment."""
        torch = self._torch
        first = torch.as_tensor(starts, device=self._device)
        atoms = torch.arange(len(values), device=self._device)
        owner = torch.searchsorted(first, atoms, right=True) - 1
        return torch.nn.functional.one_hot(owner, len(starts)).to(values.dtype)


def _runs(starts: np.ndarray, end: int) -> Iterable[tuple[int, int]]:
    """Yield segments in runs of at most LONGEST_SUM atoms."""
    for begin, stop in zip(starts.tolist(), [*starts[1:].tolist(), end], strict=True):
        for run in range(begin, stop, LONGEST_SUM):
            yield run, min(run + LONGEST_SUM, stop)


def tile_kernels(
    arithmetic: Host | Device,
    a: Operand,
    rows: slice,
    b: Operand,
    columns: slice,
    kernel: Radial,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute K_0 (n, m) and shares of K_1 (n_species, n, m) between frames of two operands."""
    left, left_starts, left_place, left_counts = _members(a, rows)
    right, right_starts, right_place, right_counts = _members(b, columns)
    sums = arithmetic.segment_sums(left, right, left_starts, right_starts, kernel)
    (n, n_species), m = left_counts.shape, len(right_counts)
    dense = np.zeros((n * n_species, m * n_species))
    dense[left_place[:, None], right_place] = sums
    dense = dense.reshape(n, n_species, m, n_species)
    total = dense.sum(axis=(1, 3)) / np.outer(left_counts.sum(axis=1), right_counts.sum(axis=1))
    pairs = left_counts.T[:, :, None] * right_counts.T[:, None, :]
    return total, np.einsum("nsms->snm", dense) / np.maximum(pairs, 1)


def _members(side: Operand, frames: slice) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """Return values of some frames, first atoms and places of their segments, counts."""
    begin, end = frames.start - side.first, frames.stop - side.first
    atoms = slice(side.pointer[begin], side.pointer[end])
    segments = slice(side.first_segment[begin], side.first_segment[end])
    return (
        side.values[atoms],
        side.starts[segments] - atoms.start,
        side.place[segments] - begin * side.counts.shape[1],
        side.counts[begin:end],
    )
