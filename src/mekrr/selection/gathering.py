"""Features of frames that stream by: few frames are held at once, and no features but on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.symbols import Symbols

from mekrr.backbones.base import Backbone
from mekrr.data.references import is_isolated
from mekrr.data.structure import check_structure, digest_of
from mekrr.errors import DataError
from mekrr.features.atoms import selected_if_any
from mekrr.features.extract import choose_device, device_for, extract
from mekrr.features.store import FrameFeatures
from mekrr.models.on_backbone import BATCH_SIZE
from mekrr.progress import progress_bar

AT_ONCE = 256  # frames in memory


class FrameError(DataError):
    """A frame that cannot be used; ``labelled`` says of which those are."""

    def __init__(self, message: str, labelled: bool):
        super().__init__(message)
        self.labelled = labelled


@dataclass(frozen=True)
class Gathered:
    """Features of frames, isolated atoms left out, those that are labelled first.

    Attributes
    ----------
    features : of the atoms that count, layers side by side.
    widths : of the layers.
    n_labelled : frames that are labelled.
    places : (n_frames,) of each among the labelled ones, or among the others.
    masks : (n,) of each frame, the atoms that count.
    digests : of each frame, see `digest_of`.
    """

    features: FrameFeatures
    widths: tuple[int, ...]
    n_labelled: int
    places: np.ndarray
    masks: list[np.ndarray]
    digests: list[bytes]

    @property
    def free(self) -> np.ndarray:
        """The frames (n,) that are not labelled."""
        return np.arange(self.n_labelled, len(self.features))

    @property
    def ordered(self) -> np.ndarray:
        """All frames (n_frames,) in an order that does not depend on that in which they came."""
        return np.array(sorted(range(len(self.features)), key=self.digests.__getitem__), dtype=int)


class Streamed(NamedTuple):
    """A frame that streams by: where it stands, whether it is labelled, and its place there."""

    atoms: Atoms
    labelled: bool
    place: int

    @property
    def where(self) -> str:
        """What opens a message on it."""
        return f"labelled frame {self.place}" if self.labelled else f"frame {self.place}"


def gather_streamed(
    backbone: Backbone,
    layers: Sequence[int],
    labelled: Iterable[Atoms],
    frames: Iterable[Atoms],
    rules: Sequence[str | Mapping],
) -> Gathered:
    """Run frames through a backbone as they come.

    Parameters
    ----------
    rules : of `mekrr.features.atoms.selected`; an atom counts if all of them keep it.

    Raises
    ------
    FrameError
        If a frame cannot be used, or no atom of it counts.
    """
    species, masks, places = [np.zeros(0, dtype=np.int16)], [], []
    digests: list[bytes] = []
    widths: tuple[int, ...] = ()
    n_labelled = 0
    device = device_for(backbone, choose_device())
    # Of a file that is gone with the map of it.
    with tempfile.TemporaryFile() as file, progress_bar(None, backbone.name, "frames") as bar:
        for some in _chunks(_stream(labelled, frames)):
            for one in some:
                masks.append(_counting(one, rules, backbone))
                species.append(one.atoms.numbers[masks[-1]].astype(np.int16))
                digests.append(digest_of(one.atoms))
            batch = [one.atoms for one in some]
            keep = iter(masks[-len(some) :])
            for found in extract(backbone, batch, BATCH_SIZE, device, layers, False, bar=bar):
                mask = np.concatenate([next(keep) for _ in range(found.n_frames)])
                parts = [found.layers[layer][mask] for layer in layers]
                widths = tuple(part.shape[1] for part in parts)
                file.write(np.hstack(parts).tobytes())
            places += [one.place for one in some]
            n_labelled += sum(one.labelled for one in some)
        pointer = np.cumsum([0, *(int(mask.sum()) for mask in masks)])
        shape = (int(pointer[-1]), sum(widths))
        file.flush()
        rows = np.memmap(file, np.float32, "r", shape=shape) if shape[0] else np.zeros(shape)
    features = FrameFeatures(rows, np.concatenate(species).astype(int), pointer)
    return Gathered(features, widths, n_labelled, np.array(places, dtype=int), masks, digests)


def _stream(labelled: Iterable[Atoms], frames: Iterable[Atoms]) -> Iterator[Streamed]:
    for known, source in ((True, labelled), (False, frames)):
        for place, atoms in enumerate(source):
            if not is_isolated(atoms):
                yield Streamed(atoms, known, place)


def _chunks(stream: Iterator[Streamed]) -> Iterator[list[Streamed]]:
    while some := list(islice(stream, AT_ONCE)):
        yield some


def _counting(one: Streamed, rules: Sequence[str | Mapping], backbone: Backbone) -> np.ndarray:
    """Return the mask (n,) of the atoms of a frame that count."""
    try:
        check_structure(one.atoms, one.where)
    except DataError as error:
        raise FrameError(str(error), one.labelled) from error
    if unknown := set(one.atoms.numbers.tolist()) - backbone.species:
        symbols = ", ".join(Symbols(sorted(unknown)))
        raise FrameError(
            f"{one.where}: backbone {backbone.name!r} does not know {symbols}; choose another "
            "backbone, or leave the frame out",
            one.labelled,
        )
    mask = np.ones(len(one.atoms), dtype=bool)
    for rule in rules:
        mask &= selected_if_any(one.atoms, rule)
        if not mask.any():
            raise FrameError(
                f"{one.where}: no atom counts by {rule!r}; choose other `atoms`", one.labelled
            )
    return mask
