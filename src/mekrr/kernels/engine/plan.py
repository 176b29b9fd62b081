"""Which frames go into which tile of a Gram matrix.

A strip is a few consecutive frames, a band a few consecutive strips. Tiles are a strip of
rows by a band of columns: flat, so that little of a symmetric matrix is computed twice.
They follow from the frames alone: neither the memory nor the threads change a product's
shape, and with it the rounding of a single entry, nor does computing the matrix in parts,
if these begin where a band does (`cuts`).
"""

from __future__ import annotations

import numpy as np

from mekrr.features.store import FrameFeatures

STRIP_ATOMS = 384  # a float32 tile and its operands stay in the cache
DEVICE_STRIP_ATOMS = 4096  # on a GPU: 268 MB of float32 values
STRIPS = 4  # to a band

Band = list[slice]


def bands(frames: FrameFeatures, *, on_device: bool = False) -> list[Band]:
    """Return all frames in bands of strips of at least one frame each."""
    n_atoms = DEVICE_STRIP_ATOMS if on_device else STRIP_ATOMS
    pointer, strips, first = frames.pointer, [], 0
    while first < len(frames):
        last = int(np.searchsorted(pointer, pointer[first] + n_atoms, "right")) - 1
        last = max(last, first + 1)
        strips.append(slice(first, last))
        first = last
    return [strips[k : k + STRIPS] for k in range(0, len(strips), STRIPS)]


def cuts(frames: FrameFeatures, *, on_device: bool = False) -> list[int]:
    """Return frames at which bands begin."""
    return [band[0].start for band in bands(frames, on_device=on_device)]


def panels(bands: list[Band], frames: FrameFeatures, n_atoms: int) -> list[list[Band]]:
    """Return consecutive bands of together at most ``n_atoms`` atoms, at least one each."""
    found: list[list[Band]] = []
    for band in bands:
        if found and size(frames, slice(found[-1][0][0].start, band[-1].stop)) <= n_atoms:
            found[-1].append(band)
        else:
            found.append([band])
    return found


def span(panel: list[Band]) -> slice:
    """Return the frames of a panel."""
    return slice(panel[0][0].start, panel[-1][-1].stop)


def tiles(rows: list[Band], columns: list[Band], symmetric: bool) -> list[tuple[slice, slice]]:
    """Return tiles between two panels; of a symmetric matrix those on and above its diagonal."""
    found = []
    for strip in (strip for band in rows for strip in band):
        for band in columns:
            across = slice(band[0].start, band[-1].stop)
            if symmetric:
                across = slice(max(across.start, strip.start), across.stop)
            if across.start < across.stop:
                found.append((strip, across))
    return found


def size(frames: FrameFeatures, part: slice) -> int:
    """Return atoms of consecutive frames."""
    return int(frames.pointer[part.stop] - frames.pointer[part.start])
