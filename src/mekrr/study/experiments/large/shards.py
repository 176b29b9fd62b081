"""A large data set in shards: its table, its split, and files of features and derivatives."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from mekrr.choices import ALL
from mekrr.data.frames import load_frames
from mekrr.data.labels import forces_of, slopes_along
from mekrr.data.splits import subset
from mekrr.features.directions_store import FrameDirections, read_directions, read_vectors
from mekrr.features.store import (
    FrameFeatures,
    read_layer,
    shard_bytes,
    shard_frames,
    stored_layers,
)
from mekrr.models.sparse.data import Data
from mekrr.models.sparse.errors import Errors
from mekrr.study.experiments.large.learnt import Learnt


@dataclass(frozen=True)
class Features:
    """Features of some layers of each shard, opened when asked for: files are few at a time."""

    paths: Sequence[str | os.PathLike]
    layers: Sequence[int]

    def __iter__(self) -> Iterator[Mapping[int, FrameFeatures]]:
        for path in self.paths:
            yield {layer: read_layer(path, layer) for layer in self.layers}


def read_split(path: str | os.PathLike, size: str, seed: int) -> np.ndarray:
    """Return the part (n_frames,) of each frame, of so many training frames, or all."""
    split = pd.read_csv(path)["split"].to_numpy()
    return split if size == ALL else subset(split, int(size), seed)


@dataclass(frozen=True)
class Shard:
    """Some consecutive frames.

    Attributes
    ----------
    frames : their places in the table. table : their rows of it. split : (n,) their parts.
    """

    frames: range
    table: pd.DataFrame
    split: np.ndarray
    _features: str
    _directions: str
    _source: str
    _bytes: tuple[int, int | None]

    @classmethod
    def open(cls, step) -> Shard:
        """Return the shard of a job, by its wildcards and inputs."""
        given, w = step.input, step.wildcards
        table = pd.read_csv(given.table)
        shard = int(w.shard), int(w.n_shards)
        frames = shard_frames(len(table), *shard)
        part = slice(frames.start, frames.stop)
        split = read_split(given.split, w.size, int(w.seed))[part]
        place = shard_bytes(table["offset"], *shard)
        files = str(given.features), str(given.directions), str(given.frames)
        return cls(frames, table.iloc[part], split, *files, place)

    @property
    def layers(self) -> list[int]:
        """All layers whose features are differentiated."""
        return stored_layers(self._directions)

    @property
    def groups(self) -> np.ndarray:
        """(n,) the group of each frame, by which errors are told apart; its run if none is said."""
        column = "group" if "group" in self.table else "run"
        return self.table[column].astype(str).to_numpy()

    def predictions(self, members: np.ndarray, errors: Errors) -> pd.DataFrame:
        """Return the tidy table of predictions for some frames, from their errors."""
        table = self.table.iloc[members]
        columns = {name: table[name] for name in ("index", "frame", "n_atoms")}
        columns |= {
            "energy_ref": table["energy"],
            "energy_pred": table["energy"] + errors.energy,
            "energy_std": errors.energy_std,
        }
        return pd.DataFrame(columns)

    def data(self, layers: Sequence[int], learnt: Learnt, parts: Sequence[str]) -> Data:
        """Return what is learnt of the frames of some parts."""
        features = {layer: read_layer(self._features, layer) for layer in layers}
        directions = {layer: read_directions(self._directions, layer) for layer in layers}
        return Data(
            features,
            directions,
            learnt.some(self.frames).residual,
            self._slopes(next(iter(directions.values())), learnt),
            self.table["n_atoms"].to_numpy(),
            [np.flatnonzero(self.split == part) for part in parts],
            True,
        )

    @cached_property
    def _slope(self) -> np.ndarray:
        """(n_directions,) derivatives by the forces, eV/Å: frames are read once for all methods."""
        forces = [forces_of(atoms) for atoms in load_frames(self._source, *self._bytes)]
        return slopes_along(read_vectors(self._directions), forces)

    def _slopes(self, directions: FrameDirections, learnt: Learnt) -> np.ndarray:
        """Return residual derivatives (n_directions, t) beyond each baseline."""
        each = {"references": self._slope}
        if directions.network is not None:
            each["delta"] = self._slope - directions.network
        return np.stack([each[name] for name in learnt.baselines], axis=1)
