"""Running frames through a backbone, all layers wanted in one forward pass."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from typing import cast

import numpy as np
import torch
from ase import Atoms
from tqdm import tqdm

from mekrr.backbones.base import Backbone, frame_number
from mekrr.environment import device_name
from mekrr.errors import BackboneError
from mekrr.features.atoms import selected
from mekrr.features.store import FrameFeatures, feature_writer
from mekrr.progress import progress_bar
from mekrr.torch_settings import own_torch_settings

log = logging.getLogger(__name__)

MEMORY_SHARE = 0.6  # of the free GPU memory that a batch may take
FEW_ATOMS = (
    48  # of small frames that share a pass on a CPU: each pass costs 10 ms whatever is in it
)
LARGEST_BATCH = 8192  # atoms; enough for a GPU, and main memory holds a few batches at a time
# Of a GPU, of the CPU, of neighbour lists.
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "could not allocate memory")


@dataclass(frozen=True)
class Batch:
    """Output for ``n_frames`` frames: layer to (n_atoms, d) float32; energy (n_frames,) in eV."""

    n_frames: int
    layers: dict[int, np.ndarray]
    energy: np.ndarray | None


@dataclass(frozen=True)
class Pass:
    """A forward pass under way: its output in main memory is complete when ``copied`` says so."""

    n_frames: int
    layers: dict[int, torch.Tensor]
    energy: torch.Tensor | None
    copied: torch.cuda.Event | None

    def result(self) -> Batch:
        """The output, waited for."""
        if self.copied is not None:
            self.copied.synchronize()
        return Batch(
            self.n_frames,
            {layer: h.numpy() for layer, h in self.layers.items()},
            None if self.energy is None else self.energy.numpy(),
        )


Forward = Callable[[Sequence[Atoms]], Pass]  # starts the pass of a batch


def choose_device() -> torch.device:
    """CUDA if there is one, else, with a notice in the log, the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    log.info("no CUDA device: features are computed on the CPU")
    return torch.device("cpu")


def device_for(backbone: Backbone, device: torch.device) -> torch.device:
    """``device``; with a notice in the log the CPU, if the backbone has no other path."""
    if device.type == "cpu" or backbone.runs_on_gpu:
        return device
    log.info("%s has no GPU path: its features are computed on the CPU", backbone.name)
    return torch.device("cpu")


def extract(
    backbone: Backbone,
    frames: Sequence[Atoms],
    batch_size: Mapping[str, int | str],
    device: torch.device,
    layers: Collection[int] | None = None,
    energy: bool = True,
    bar: tqdm | None = None,
) -> Iterator[Batch]:
    """Features, batch after batch, frames in order.

    A GPU computes the next batch while the one before is copied and used.

    Parameters
    ----------
    batch_size : frames per forward pass for "cpu" and "cuda"; "auto" is what fits into the
        free memory of the GPU, or the backbone's ``cpu_batch``, and of small frames as many as
        have ``FEW_ATOMS``. A batch that does not fit is halved, with a warning.
    layers : those wanted; None for all. energy : whether the backbone's own energy is wanted.
    bar : of a caller who has more frames than these; None: one of its own.

    Raises
    ------
    BackboneError
        If a single frame does not fit into the memory.
    """
    device = device_for(backbone, device)
    log.info("features of %d frames with %s on %s", len(frames), backbone.name, device)
    forward = partial(_forward, backbone, device, layers, energy)
    passes = _passes(backbone, forward, frames, batch_size[device.type], device)
    own = progress_bar(len(frames), backbone.name, "frames") if bar is None else nullcontext(bar)
    with own as bar:
        pairs = cast("Iterator[tuple[Pass, Pass | None]]", pairwise(chain(passes, [None])))
        for current, _next_under_way in pairs:
            batch = current.result()
            yield batch
            bar.update(batch.n_frames)


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
    """Features of the selected atoms of ``frames`` to a file; memory holds a few batches.

    ``atoms`` is a rule of `mekrr.features.atoms.selected`, ``dtype`` "float32" or "float16".
    To ``provenance`` comes the device that did the work.
    """
    device = device_for(backbone, device)
    gathered = _Gathered(backbone, frames, atoms, batch_size, device, source, None, True)
    first = next(gathered)  # tells the widths of the layers
    with feature_writer(
        path,
        {layer: h.shape[1] for layer, h in first.layers.items()},
        gathered.species,
        gathered.pointer,
        has_energy=first.energy is not None,
        dtype=dtype,
        provenance={**provenance, "device": device_name(device)},
    ) as writer:
        for batch in chain([first], gathered):
            for layer, features in batch.layers.items():
                writer.append(f"layer{layer}", features)
            if batch.energy is not None:
                writer.append("gnn_energy", batch.energy)


def gather(
    backbone: Backbone,
    frames: Sequence[Atoms],
    layers: Sequence[int],
    *,
    batch_size: Mapping[str, int | str],
    device: torch.device,
    atoms: str | Mapping,
    source: str,
    energy: bool = True,
) -> tuple[dict[int, FrameFeatures], np.ndarray | None]:
    """Return features of the selected atoms in memory, as `extract_to` writes them to a file.

    Parameters
    ----------
    layers, energy : what is wanted, as for `extract`; others as for `extract_to`.

    Returns
    -------
    Features (float32) by layer, and the backbone's own energies (n,) in eV, None without any.
    """
    gathered = _Gathered(backbone, frames, atoms, batch_size, device, source, layers, energy)
    kept: dict[int, list[np.ndarray]] = {layer: [] for layer in layers}
    energies: list[np.ndarray] = []
    for batch in gathered:
        for layer, parts in kept.items():
            parts.append(batch.layers[layer])
        if batch.energy is not None:
            energies.append(batch.energy)
    features = {
        layer: FrameFeatures(np.concatenate(parts), gathered.species, gathered.pointer)
        for layer, parts in kept.items()
    }
    return features, np.concatenate(energies) if energies else None


class _Gathered(Iterator[Batch]):
    """Batches with the features of selected atoms.

    Attributes
    ----------
    species : atomic numbers of all selected atoms.
    pointer : where each frame's begin, (n_frames + 1,).
    """

    def __init__(
        self,
        backbone: Backbone,
        frames: Sequence[Atoms],
        rule: str | Mapping,
        batch_size: Mapping[str, int | str],
        device: torch.device,
        source: str,
        layers: Collection[int] | None,
        energy: bool,
    ):
        masks = [selected(frame, rule, source) for frame in frames]
        self.species = np.concatenate([f.numbers[m] for f, m in zip(frames, masks, strict=True)])
        self.pointer = np.cumsum([0, *(int(mask.sum()) for mask in masks)])
        self._masks = iter(masks)
        self._batches = extract(backbone, frames, batch_size, device, layers, energy)

    def __next__(self) -> Batch:
        batch = next(self._batches)
        keep = np.concatenate([next(self._masks) for _ in range(batch.n_frames)])
        layers = {layer: features[keep] for layer, features in batch.layers.items()}
        return Batch(batch.n_frames, layers, batch.energy)


def fitting_batch(forward: Forward, largest: Atoms, device: torch.device) -> int:
    """Frames of the size of ``largest`` that fit into a share of the free GPU memory."""
    forward([largest])  # what the first pass leaves behind is no frame's
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    forward([largest])
    needed = max(torch.cuda.max_memory_allocated(device) - before, 1)
    size = max(1, min(int(MEMORY_SHARE * free / needed), LARGEST_BATCH // len(largest)))
    log.info("a frame takes %.0f MB of %.0f MB free: batches of %d", needed / 1e6, free / 1e6, size)
    return size


def _passes(
    backbone: Backbone,
    forward: Forward,
    frames: Sequence[Atoms],
    asked: int | str,
    device: torch.device,
) -> Iterator[Pass]:
    """Passes through all frames; a batch that does not fit is tried again by halves."""
    largest = max(range(len(frames)), key=lambda k: len(frames[k]))
    try:
        backbone.to(device)
        if asked != "auto":
            size = int(asked)
        elif device.type == "cpu":
            size = backbone.cpu_batch
        else:
            size = fitting_batch(forward, frames[largest], device)
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        raise _no_room(frames[largest], largest, device) from error
    together = FEW_ATOMS if asked == "auto" and device.type == "cpu" else 0
    start = 0
    while start < len(frames):
        batch = _next_batch(frames, start, size, together)
        under_way = _forward_if_it_fits(forward, batch)
        if under_way is not None:
            yield under_way
            start += len(batch)
        elif len(batch) == 1:
            raise _no_room(batch[0], start, device)
        else:
            size, together = len(batch) // 2, 0
            log.warning("out of memory on %s: batches of %d frames from here", device, size)
            if device.type == "cuda":
                torch.cuda.empty_cache()


def _next_batch(frames: Sequence[Atoms], start: int, size: int, together: int) -> list[Atoms]:
    """Return ``size`` frames, and more as long as there are no more than ``together`` atoms."""
    batch = list(frames[start : start + size])
    n_atoms = sum(map(len, batch))
    for k in range(start + size, len(frames)):
        frame = frames[k]
        n_atoms += len(frame)
        if n_atoms > together:
            break
        batch.append(frame)
    return batch


def _forward_if_it_fits(forward: Forward, batch: Sequence[Atoms]) -> Pass | None:
    try:
        return forward(batch)
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
    return None  # out here the error is gone, and with it the tensors of the failed pass


def _out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """By its text: TorchScript makes a torch.OutOfMemoryError a plain RuntimeError."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in OUT_OF_MEMORY)


def _forward(
    backbone: Backbone,
    device: torch.device,
    layers: Collection[int] | None,
    energy: bool,
    batch: Sequence[Atoms],
) -> Pass:
    with own_torch_settings(), torch.inference_mode():
        output = backbone.forward(backbone.graph(batch).to(device), layers, energy)
        # From a GPU these copies go to page-locked memory and run on by themselves.
        features = {t: h.float().to("cpu", non_blocking=True) for t, h in output.layers.items()}
        total = output.energy
        if total is not None:
            total = total.double().to("cpu", non_blocking=True)
    copied = None
    if device.type == "cuda":
        copied = torch.cuda.current_stream(device).record_event()
    return Pass(len(batch), features, total, copied)


def _no_room(atoms: Atoms, index: int, device: torch.device) -> BackboneError:
    remedy = "use a GPU with more, or the CPU by setting CUDA_VISIBLE_DEVICES="
    if device.type == "cpu":
        remedy = "run fewer jobs at once, or give this one more memory"
    return BackboneError(
        f"frame {frame_number(atoms, index)}: {len(atoms)} atoms do not fit into the memory of "
        f"{device}; {remedy}"
    )
