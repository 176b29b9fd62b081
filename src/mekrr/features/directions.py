"""Derivatives of features along directions of a frame, by central differences.

A direction v of a frame of n atoms is a unit vector of its 3n coordinates. With δ the length of the
step,

    dh/dv = (h(x + δ v) - h(x - δ v)) / 2δ,

two forward passes through any backbone. δ is chosen so that the coordinates that v moves move by
`STEP` in the root mean square. Random directions are orthogonal to each other; that of forces F
along one, (F·v)², is on average |F|²/3n.

A strain is a direction too: it moves the vectors of the cell with the atoms. By δ it is
δ / √n `ARM`, so that the ends of a bond of that length part by δ / √n: its derivative, the stress
times the volume over √n `ARM`, is as large and as uncertain as that along a direction of the atoms.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import overload

import numpy as np
import torch
from ase import Atoms

from mekrr.backbones.base import Backbone
from mekrr.data.structure import digest_of
from mekrr.environment import device_name
from mekrr.features.atoms import selected, selected_if_any
from mekrr.features.directions_store import FrameDirections, directions_writer
from mekrr.features.extract import Batch, device_for, extract

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
STEP = 0.0025  # Å; float32 networks lose more to rounding below, more to curvature above
ARM = 2.5  # Å, about a bond


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
        rng = np.random.default_rng(list(digest_of(atoms)))
        gaussian = rng.standard_normal((size, min(random, size)))
        found = np.linalg.qr(gaussian)[0].T
    if moved is not None:
        mask = np.repeat(selected_if_any(atoms, moved), 3)
        found = np.concatenate([found, np.eye(size)[mask]])
    return found.reshape(-1, len(atoms), 3)


def strains_of(atoms: Atoms) -> np.ndarray:
    """Return the six strains of a frame as directions (6, n + 3, 3).

    The last three rows of each are the changes of the vectors of the cell. In Voigt's order: xx,
    yy, zz, yz, xz, xy.
    """
    strains = np.zeros((6, 3, 3))
    for strain, (row, column) in zip(strains, VOIGT, strict=True):
        strain[row, column] += 0.5
        strain[column, row] += 0.5
    moved = np.concatenate([atoms.positions, atoms.cell.array])
    return moved @ strains / (np.sqrt(len(atoms)) * ARM)


def strain_slopes(atoms: Atoms, stress: np.ndarray) -> np.ndarray:
    """Return the derivatives (6,) in eV/Å of the energy along `strains_of` a frame.

    Parameters
    ----------
    stress : (6,) eV/Å³, in Voigt's order.
    """
    return atoms.get_volume() * stress / (np.sqrt(len(atoms)) * ARM)


def with_strains(directions: np.ndarray, atoms: Atoms) -> np.ndarray:
    """Return directions (q, n, 3) of a frame, and its strains below, (q + 6, n + 3, 3)."""
    fixed_cell = np.pad(directions, ((0, 0), (0, 3), (0, 0)))
    return np.concatenate([fixed_cell, strains_of(atoms)])


def directions_of_labelled(
    frames: Sequence[Atoms],
    labelled: Sequence[bool],
    random: int,
    moved: str | Mapping | None,
) -> list[np.ndarray]:
    """Return `directions_of` each frame that is ``labelled`` with forces; the others have none."""
    return [
        directions_of(atoms, random, moved) if known else np.zeros((0, len(atoms), 3))
        for atoms, known in zip(frames, labelled, strict=True)
    ]


def step_of(direction: np.ndarray, n_atoms: int) -> float:
    """Return the length δ in Å of the step along a direction (n, 3), or a strain (n + 3, 3)."""
    strained = direction[n_atoms:].any()
    return STEP * float(np.sqrt(n_atoms if strained else np.count_nonzero(direction)))


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
        n = len(moved)
        step = (-1.0 if against else 1.0) * step_of(v, n) * v
        moved.positions += step[:n]
        if len(v) > n:
            moved.cell += step[n:]
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
    directions : of each frame, (q, n, 3) unit vectors, or (q, n + 3, 3) with strains.
    layers, batch_size, device, atoms, source : as for `mekrr.features.extract.gather`.
    """
    masks = [selected(frame, atoms, source) for frame in frames]
    counts = np.array([len(v) for v in directions], dtype=int)
    n_atoms = np.array([int(mask.sum()) for mask in masks], dtype=int)
    kept: dict[int, list[np.ndarray]] = {layer: [] for layer in layers}
    network: list[np.ndarray] = []
    for one in _derivatives(backbone, frames, directions, masks, layers, batch_size, device):
        for layer, parts in kept.items():
            parts.append(one.layers[layer])
        if one.energy is not None:
            network.append(one.energy)
    own = np.concatenate([np.zeros(0), *network]) if backbone.has_energy else None
    return {
        layer: FrameDirections(
            np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32),
            counts,
            n_atoms,
            own,
        )
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
        for one in _derivatives(backbone, frames, directions, masks, layers, batch_size, device):
            for layer, rows in one.layers.items():
                writer.append(f"layer{layer}", rows)
            if one.energy is not None:
                writer.append("network", one.energy)


def _derivatives(
    backbone: Backbone,
    frames: Sequence[Atoms],
    directions: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    layers: Sequence[int],
    batch_size: Mapping[str, int | str],
    device: torch.device,
) -> Iterator[Batch]:
    """Yield derivatives along one direction after another, as if they were outputs of a frame.

    ``masks`` are those of the selected atoms, the others parameters of `gather_directions`.
    """
    counts = [len(v) for v in directions]
    owner = np.repeat(np.arange(len(frames)), counts)
    if not len(owner):
        return
    displaced = _Displaced(frames, directions)
    sizes = np.repeat([len(frame) for frame in frames], 2 * np.array(counts))
    along = zip(frames, directions, strict=True)
    steps = [step_of(v, len(frame)) for frame, of_frame in along for v in of_frame]
    each = _frame_by_frame(extract(backbone, displaced, batch_size, device, layers), sizes)
    for t, step, plus, minus in zip(owner.tolist(), steps, each, each, strict=True):
        derivatives = {
            layer: (plus.layers[layer] - minus.layers[layer])[masks[t]] / np.float32(2.0 * step)
            for layer in layers
        }
        slope = None
        if plus.energy is not None and minus.energy is not None:
            slope = (plus.energy - minus.energy) / (2.0 * step)
        yield Batch(1, derivatives, slope)


def _frame_by_frame(batches: Iterator[Batch], sizes: np.ndarray) -> Iterator[Batch]:
    """Yield batches of one frame each; ``sizes`` (n_frames,) are the frames' numbers of atoms."""
    first = 0
    for batch in batches:
        begins = np.cumsum([0, *sizes[first : first + batch.n_frames]])
        for k, (begin, end) in enumerate(pairwise(begins.tolist())):
            layers = {layer: h[begin:end] for layer, h in batch.layers.items()}
            yield Batch(1, layers, None if batch.energy is None else batch.energy[k : k + 1])
        first += batch.n_frames
