"""Derivatives of features along directions of a frame, by central differences.

A direction v of a frame of n atoms is a unit vector of its 3n coordinates. With δ the length of the
step,

    dh/dv = (h(x + δ v) - h(x - δ v)) / 2δ,

two forward passes through any backbone. δ is chosen so that the coordinates that v moves move by
`STEP` in the root mean square. Random directions are orthogonal to each other; that of forces F
along one, (F·v)², is on average |F|²/3n.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import overload

import numpy as np
import torch
from ase import Atoms

from mekrr.backbones.base import Backbone
from mekrr.features.atoms import selected, selected_if_any
from mekrr.features.extract import Batch, extract

STEP = 0.0025  # Å; float32 networks lose more to rounding below, more to curvature above


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


def directions_of(atoms: Atoms, random: int, moved: str | Mapping | None) -> np.ndarray:
    """Return directions (q, n, 3) of a frame: unit vectors, the same whenever it is asked.

    Parameters
    ----------
    random : how many random ones, orthogonal to each other; more than 3n are all.
    moved : rule of atoms, see `mekrr.features.atoms.selected`, whose every component is a
        direction of its own, of those that the frame has; None for none.
    """
    size = 3 * len(atoms)
    found = np.zeros((0, size))
    if random:
        rng = np.random.default_rng(_seed(atoms))
        gaussian = rng.standard_normal((size, min(random, size)))
        found = np.linalg.qr(gaussian)[0].T
    if moved is not None:
        mask = np.repeat(selected_if_any(atoms, moved), 3)
        found = np.concatenate([found, np.eye(size)[mask]])
    return found.reshape(-1, len(atoms), 3)


def _seed(atoms: Atoms) -> list[int]:
    """Return a seed that the frame itself decides, wherever it stands and whoever asks."""
    digest = hashlib.sha256(np.ascontiguousarray(atoms.numbers, dtype="<i8").tobytes())
    digest.update(np.ascontiguousarray(atoms.positions, dtype="<f8").tobytes())
    return list(digest.digest())


def step_of(direction: np.ndarray) -> float:
    """Return the length δ in Å of the step along a direction (n, 3)."""
    return STEP * float(np.sqrt(np.count_nonzero(direction)))


class _Displaced(Sequence[Atoms]):
    """Each frame after a step along, then against, each of its directions; made when asked for."""

    def __init__(self, frames: Sequence[Atoms], directions: Sequence[np.ndarray]):
        self._frames, self._directions = frames, directions
        self._begins = np.cumsum([0, *(2 * len(v) for v in directions)])

    def __len__(self) -> int:
        return int(self._begins[-1])

    @overload
    def __getitem__(self, index: int) -> Atoms: ...
    @overload
    def __getitem__(self, index: slice) -> list[Atoms]: ...
    def __getitem__(self, index: int | slice) -> Atoms | list[Atoms]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        t = int(np.searchsorted(self._begins, index, side="right")) - 1
        place, against = divmod(index - int(self._begins[t]), 2)
        v = self._directions[t][place]
        moved = self._frames[t].copy()
        moved.positions += (-1.0 if against else 1.0) * step_of(v) * v
        return moved


def gather_directions(
    backbone: Backbone,
    frames: Sequence[Atoms],
    directions: Sequence[np.ndarray],
    layers: Sequence[int],
    *,
    batch_size: Mapping[str, int | str],
    device: torch.device,
    atoms: str | Mapping,
    source: str,
) -> dict[int, FrameDirections]:
    """Return derivatives of features (float32) by layer along ``directions`` of each frame.

    Parameters
    ----------
    directions : of each frame, (q, n, 3) unit vectors.
    layers, others : as for `mekrr.features.extract.gather`.
    """
    masks = [selected(frame, atoms, source) for frame in frames]
    counts = np.array([len(v) for v in directions], dtype=int)
    n_atoms = np.array([int(mask.sum()) for mask in masks], dtype=int)
    owner = np.repeat(np.arange(len(frames)), counts)
    kept: dict[int, list[np.ndarray]] = {layer: [] for layer in layers}
    network: list[float] = []
    if len(owner):
        displaced = _Displaced(frames, directions)
        sizes = np.repeat([len(frame) for frame in frames], 2 * counts)
        batches = extract(backbone, displaced, batch_size, device, layers)
        steps = [step_of(v) for of_frame in directions for v in of_frame]
        each = _frame_by_frame(batches, sizes)
        for t, step, plus, minus in zip(owner.tolist(), steps, each, each, strict=True):
            for layer, parts in kept.items():
                difference = plus.layers[layer] - minus.layers[layer]
                parts.append(difference[masks[t]] / np.float32(2.0 * step))
            if plus.energy is not None and minus.energy is not None:
                network.append(float(plus.energy[0] - minus.energy[0]) / (2.0 * step))
    own = np.array(network) if backbone.has_energy else None
    return {
        layer: FrameDirections(
            np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32),
            counts,
            n_atoms,
            own,
        )
        for layer, parts in kept.items()
    }


def _frame_by_frame(batches: Iterator[Batch], sizes: np.ndarray) -> Iterator[Batch]:
    """Yield batches of one frame each; ``sizes`` (n_frames,) are the frames' numbers of atoms."""
    first = 0
    for batch in batches:
        begins = np.cumsum([0, *sizes[first : first + batch.n_frames]])
        for k, (begin, end) in enumerate(pairwise(begins.tolist())):
            layers = {layer: h[begin:end] for layer, h in batch.layers.items()}
            yield Batch(1, layers, None if batch.energy is None else batch.energy[k : k + 1])
        first += batch.n_frames
