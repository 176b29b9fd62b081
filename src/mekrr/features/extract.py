"""Running frames through a backbone, all layers in one forward pass."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from ase import Atoms

from mekrr.backbones.base import Backbone
from mekrr.errors import BackboneError
from mekrr.features.atoms import selected
from mekrr.features.store import feature_writer
from mekrr.progress import progress_bar

log = logging.getLogger(__name__)

MEMORY_SHARE = 0.6  # of the free GPU memory that a batch may take
LARGEST_BATCH = 256


@dataclass(frozen=True)
class Batch:
    """Output for ``n_frames`` frames: layer to (n_atoms, d) float32; energy (n_frames,) in eV."""

    n_frames: int
    layers: dict[int, np.ndarray]
    energy: np.ndarray | None


def choose_device() -> torch.device:
    """CUDA if there is one, else, with a notice in the log, the CPU.

    TensorFloat-32 is switched off: its products are good to three digits only.
    """
    if torch.cuda.is_available():
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        return torch.device("cuda")
    log.info("no CUDA device: features are computed on the CPU")
    return torch.device("cpu")


def extract(
    backbone: Backbone,
    frames: Sequence[Atoms],
    batch_size: Mapping[str, int | str],
    device: torch.device,
) -> Iterator[Batch]:
    """Features of all layers, batch after batch, frames in order.

    Parameters
    ----------
    batch_size : frames per forward pass for "cpu" and "cuda"; "auto" sizes batches to the
        free memory of the GPU. A batch that does not fit is halved, with a warning.

    Raises
    ------
    BackboneError
        If a single frame does not fit into the memory.
    """
    backbone.to(device)
    log.info("features of %d frames with %s on %s", len(frames), backbone.name, device)
    size = batch_size[device.type]
    if size == "auto":
        size = _fitting(backbone, frames, device)
    start = 0
    with progress_bar(len(frames), backbone.name, "frames") as bar:
        while start < len(frames):
            batch = frames[start : start + size]
            try:
                output = _forward(backbone, batch, device)
            except torch.OutOfMemoryError as error:
                if size == 1:
                    raise BackboneError(
                        f"frame {start}: {len(batch[0])} atoms do not fit into the memory of "
                        f"{device}; use a machine with more, or the CPU"
                    ) from error
                size = max(1, size // 2)
                log.warning("out of memory on %s: batches of %d frames from here", device, size)
                if device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            yield output
            start += len(batch)
            bar.update(len(batch))


def extract_to(
    path: str | os.PathLike,
    backbone: Backbone,
    frames: Sequence[Atoms],
    *,
    batch_size: Mapping[str, int | str],
    device: torch.device,
    atoms: str | Mapping,
    dtype: str,
    provenance: Mapping[str, str],
    source: str,
) -> None:
    """Features of the selected atoms of ``frames`` to a file; memory holds one batch.

    ``atoms`` is a rule of `mekrr.features.atoms.selected`, ``dtype`` "float32" or "float16".
    """
    masks = [selected(frame, atoms, source) for frame in frames]
    species = np.concatenate([f.numbers[m] for f, m in zip(frames, masks, strict=True)])
    pointer = np.cumsum([0, *(int(mask.sum()) for mask in masks)])
    batches = extract(backbone, frames, batch_size, device)
    first = next(batches)  # tells the widths of the layers
    with feature_writer(
        path,
        {layer: h.shape[1] for layer, h in first.layers.items()},
        species,
        pointer,
        has_energy=first.energy is not None,
        dtype=dtype,
        provenance=provenance,
    ) as writer:
        done = 0
        for batch in chain([first], batches):
            keep = np.concatenate(masks[done : done + batch.n_frames])
            for layer, features in batch.layers.items():
                writer.append(f"layer{layer}", features[keep])
            if batch.energy is not None:
                writer.append("gnn_energy", batch.energy)
            done += batch.n_frames


def _forward(backbone: Backbone, batch: Sequence[Atoms], device: torch.device) -> Batch:
    with torch.inference_mode():
        output = backbone.forward(backbone.graph(batch).to(device))
    return Batch(
        len(batch),
        {layer: h.float().cpu().numpy() for layer, h in output.layers.items()},
        None if output.energy is None else output.energy.double().cpu().numpy(),
    )


def _fitting(backbone: Backbone, frames: Sequence[Atoms], device: torch.device) -> int:
    """Frames of the largest kind that fit into a share of the free GPU memory."""
    largest = max(frames, key=len)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    _forward(backbone, [largest], device)
    needed = torch.cuda.max_memory_allocated(device) - before
    free, _ = torch.cuda.mem_get_info(device)
    size = int(np.clip(MEMORY_SHARE * free / max(needed, 1), 1, LARGEST_BATCH))
    log.info("a frame takes %.0f MB of %.0f MB free: batches of %d", needed / 1e6, free / 1e6, size)
    return size
