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
import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from ase import Atoms

from mekrr.backbones.base import Backbone
from mekrr.environment import device_name
from mekrr.features.atoms import selected
from mekrr.features.directions_store import FrameDirections, directions_writer
from mekrr.features.extract import device_for, extract

STEP = 0.01  # Å


def directions_of(atoms: Atoms, random: int, moved: str | Mapping | None) -> np.ndarray:
    """Return directions (q, n, 3) of a frame: unit vectors, the same whenever it is asked.

    Parameters
    ----------
    random : how many random ones, orthogonal to each other; more than 3n are all.
    moved : rule of atoms, see `mekrr.features.atoms.selected`, whose every component is a
        direction of its own; None for none.
    """
    size = 3 * len(atoms)
    found = np.zeros((0, size))
    if random:
        rng = np.random.default_rng(_seed(atoms))
        gaussian = rng.standard_normal((size, min(random, size)))
        found = np.linalg.qr(gaussian)[0].T
    if moved is not None:
        mask = np.repeat(selected(atoms, moved, "directions"), 3)
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
    """Each frame after a step along, and one against, each of its directions; made when asked."""

    def __init__(self, frames: Sequence[Atoms], directions: Sequence[np.ndarray]):
        self._frames, self._directions = frames, directions
        counts = [2 * len(v) for v in directions]
        self._begins = np.cumsum([0, *counts])

    def __len__(self) -> int:
        return int(self._begins[-1])

    def __getitem__(self, index):  # type: ignore[override, no-untyped-def]
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        t = int(np.searchsorted(self._begins, index, side="right")) - 1
        place, against = divmod(index - int(self._begins[t]), 2)
        v = self._directions[t][place]
        moved = self._frames[t].copy()
        moved.info = {key: v for key, v in moved.info.items() if key == "frame"}
        moved.calc = None
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
    energy: bool = True,
) -> dict[int, FrameDirections]:
    """Return derivatives of features (float32) by layer along ``directions`` of each frame.

    Parameters
    ----------
    directions : of each frame, (q, n, 3) unit vectors.
    layers, energy, others : as for `mekrr.features.extract.gather`.
    """
    masks = [selected(frame, atoms, source) for frame in frames]
    kept: dict[int, list[np.ndarray]] = {layer: [] for layer in layers}
    slopes: list[float] = []
    found = _derivatives(backbone, frames, directions, masks, layers, batch_size, device, energy)
    for derivatives, slope in found:
        for layer, parts in kept.items():
            parts.append(derivatives[layer])
        if slope is not None:
            slopes.append(slope)
    counts = np.array([len(v) for v in directions], dtype=int)
    n_atoms = np.array([int(mask.sum()) for mask in masks], dtype=int)
    network = np.array(slopes) if energy and backbone.has_energy else None
    none = np.zeros((0, 0), dtype=np.float32)
    return {
        layer: FrameDirections(np.concatenate(parts or [none]), counts, n_atoms, network)
        for layer, parts in kept.items()
    }


def extract_directions_to(
    path: str | os.PathLike,
    backbone: Backbone,
    frames: Sequence[Atoms],
    directions: Sequence[np.ndarray],
    layers: Sequence[int],
    *,
    batch_size: Mapping[str, int | str],
    device: torch.device,
    atoms: str | Mapping,
    provenance: Mapping[str, str],
    source: str,
) -> None:
    """Write what `gather_directions` returns to a file; memory holds a few batches.

    To ``provenance`` comes the device that did the work.
    """
    masks = [selected(frame, atoms, source) for frame in frames]
    device = device_for(backbone, device)
    (first,) = extract(backbone, frames[:1], batch_size, device, layers, False)
    with directions_writer(
        path,
        {layer: h.shape[1] for layer, h in first.layers.items()},  # also where no frame has any
        directions,
        np.array([int(mask.sum()) for mask in masks]),
        has_energy=backbone.has_energy,
        provenance={**provenance, "device": device_name(device)},
    ) as writer:
        for vectors in directions:
            writer.append("vectors", vectors.reshape(-1, 3))
        for derivatives, slope in _derivatives(
            backbone, frames, directions, masks, layers, batch_size, device, True
        ):
            for layer, rows in derivatives.items():
                writer.append(f"layer{layer}", rows)
            if slope is not None:
                writer.append("network", np.array([slope]))


def _derivatives(
    backbone: Backbone,
    frames: Sequence[Atoms],
    directions: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    layers: Sequence[int],
    batch_size: Mapping[str, int | str],
    device: torch.device,
    energy: bool,
) -> Iterator[tuple[dict[int, np.ndarray], float | None]]:
    """Yield, direction after direction, derivatives (n, d) of the atoms of a mask by layer, and
    that of the network's own energy in eV/Å, None without.
    """
    displaced = _Displaced(frames, directions)
    if not len(displaced):
        return
    steps = ((t, step_of(v)) for t, of_frame in enumerate(directions) for v in of_frame)
    batches = extract(backbone, displaced, batch_size, device, layers, energy)
    for (plus, minus), (t, step) in zip(_pairs(batches, displaced), steps, strict=True):
        derivatives = {
            layer: (plus[0][layer] - minus[0][layer])[masks[t]] / np.float32(2.0 * step)
            for layer in layers
        }
        up, down = plus[1], minus[1]
        slope = None if up is None or down is None else (up - down) / (2.0 * step)
        yield derivatives, slope


def _pairs(batches, displaced):  # type: ignore[no-untyped-def]
    """Yield what came of two frames after each other: features by layer, and the energy."""
    waiting, index = None, 0
    for batch in batches:
        sizes = [len(displaced[index + k]) for k in range(batch.n_frames)]
        begins = np.cumsum([0, *sizes])
        for k in range(batch.n_frames):
            rows = slice(begins[k], begins[k + 1])
            one = (
                {layer: h[rows] for layer, h in batch.layers.items()},
                None if batch.energy is None else float(batch.energy[k]),
            )
            if waiting is None:
                waiting = one
            else:
                yield waiting, one
                waiting = None
        index += batch.n_frames
