"""Training atoms that stand for all: of each species some, evenly spread over the frames.

They are the same however the frames are cut into shards, and as many of 10⁶ frames as of 10⁴: what
is made of them, coordinates and inducing atoms, costs the same whatever the number of frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        shards: Sequence[Mapping[int, FrameFeatures]],
        frames: Sequence[np.ndarray],
        most: int = MOST,
    ) -> Sample:
        """Take some atoms of each species.

        Parameters
        ----------
        shards : features by layer, one after the other; memory maps will do.
        frames : of each shard, those whose atoms count.
        most : atoms of a species.
        """
        first = [next(iter(shard.values())) for shard in shards]
        rows = [one.atoms_of(some) for one, some in zip(first, frames, strict=True)]
        pairs = zip(first, rows, strict=True)
        species = np.concatenate([one.species[own].astype(np.int16) for one, own in pairs])
        kept = np.zeros(len(species), dtype=bool)
        counts = {}
        for s in np.unique(species).tolist():
            places = np.flatnonzero(species == s)
            counts[s] = len(places)
            kept[places[evenly(len(places), most)]] = True
        ends = np.cumsum([len(own) for own in rows])[:-1]
        of_shard = [own[k] for own, k in zip(rows, np.split(kept, ends), strict=True)]
        features = {
            layer: np.concatenate(
                [shard[layer].features[own] for shard, own in zip(shards, of_shard, strict=True)]
            )
            for layer in shards[0]
        }
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


def evenly(n: int, most: int) -> np.ndarray:
    """Return up to ``most`` of n places, evenly spread from the first to the last."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(int)
