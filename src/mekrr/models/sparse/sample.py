"""Training atoms that stand for all: of each species some, evenly spread over the frames.

They are the same however the frames are cut into shards, and as many of 10⁶ frames as of 10⁴: what
is made of them, coordinates and inducing atoms, costs the same whatever the number of frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mekrr.features.store import FrameFeatures

MOST = 65_536  # atoms of a species; of fewer all


@dataclass(frozen=True)
class Sample:
    """Features of some atoms.

    Attributes
    ----------
    features : by layer, (n, d). species : (n,) atomic numbers.
    counts : by species, how many atoms these stand for.
    """

    features: Mapping[int, np.ndarray]
    species: np.ndarray
    counts: Mapping[int, int]

    @classmethod
    def of(
        cls,
        shards: Iterable[Mapping[int, FrameFeatures]],
        frames: Sequence[np.ndarray],
        most: int = MOST,
    ) -> Sample:
        """Take some atoms of each species.

        Parameters
        ----------
        shards : features by layer, one after the other, run through twice; memory maps, opened
            when asked for, will do: none is held.
        frames : of each shard, those whose atoms count.
        most : atoms of a species.
        """
        species = np.concatenate(
            [_species(shard, some) for shard, some in zip(shards, frames, strict=True)]
        )
        kept = np.zeros(len(species), dtype=bool)
        counts = {}
        for s in np.unique(species).tolist():
            places = np.flatnonzero(species == s)
            counts[s] = len(places)
            kept[places[evenly(len(places), most)]] = True
        parts: dict[int, list[np.ndarray]] = {}
        end = 0
        for shard, some in zip(shards, frames, strict=True):
            rows = next(iter(shard.values())).atoms_of(some)
            own = rows[kept[end : (end := end + len(rows))]]
            for layer, each in shard.items():
                parts.setdefault(layer, []).append(np.asarray(each.features[own]))
        features = {layer: np.concatenate(rows) for layer, rows in parts.items()}
        return cls(features, species[kept].astype(int), counts)

    def of_layers(self, layers: Sequence[int]) -> np.ndarray:
        """Return features (n, Σ d) of layers side by side."""
        parts = [self.features[layer] for layer in layers]
        return parts[0] if len(parts) == 1 else np.hstack(parts)

    def widths(self, layers: Sequence[int]) -> tuple[int, ...]:
        """Return the widths of layers."""
        return tuple(self.features[layer].shape[1] for layer in layers)

    def rows(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each species with the rows of its atoms."""
        for s in self.counts:
            yield s, np.flatnonzero(self.species == s)


def _species(shard: Mapping[int, FrameFeatures], frames: np.ndarray) -> np.ndarray:
    """Return those (n,) of the atoms of some frames, in a narrow type: there may be 10⁸."""
    one = next(iter(shard.values()))
    return one.species[one.atoms_of(frames)].astype(np.int16)


def evenly(n: int, most: int) -> np.ndarray:
    """Return up to ``most`` of n places, evenly spread from the first to the last."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(int)
