"""Strategies of dividing frames into train, val and test: whatever offers them reads this table.

Rules of a workflow are parsed with it, so that numpy is imported by who divides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mekrr.choices import PARTS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Fractions = tuple[float, float, float]  # of train, val and test, summing to 1


@dataclass(frozen=True)
class Strategy:
    """A way of dividing frames.

    Attributes
    ----------
    label : what tables, figures and the help of the command call it.
    divide : takes the table of frames in file order, with ``run`` and perhaps ``part``, the
        fractions and a seed; returns the part of each frame (n_frames,).
    seeded : whether it depends on the seed.
    in_time : whether the frames have to follow each other in time.
    divided : whether the frames have to come divided, with a ``part``.
    """

    label: str
    divide: Callable[[pd.DataFrame, Fractions, int], np.ndarray]
    seeded: bool = False
    in_time: bool = False
    divided: bool = False


def _at_random(frames: pd.DataFrame, fractions: Fractions, seed: int) -> np.ndarray:
    """Divide frames in random order."""
    import numpy as np

    return _in_stretches(np.random.default_rng(seed).permutation(len(frames)), fractions)


def _by_run(frames: pd.DataFrame, fractions: Fractions, seed: int) -> np.ndarray:
    """Give runs, in random order, to the part that lacks most of its share so far."""
    import numpy as np

    runs = frames["run"].to_numpy()
    names, counts = np.unique(runs, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    missing = np.asarray(fractions, dtype=float) * len(runs)
    labels = np.empty(len(runs), dtype=object)
    for k in order:
        part = int(np.argmax(missing))
        labels[runs == names[k]] = PARTS[part]
        missing[part] -= counts[k]
    return labels


def _in_file_order(frames: pd.DataFrame, fractions: Fractions, _seed: int) -> np.ndarray:
    """Divide the file into consecutive stretches."""
    import numpy as np

    return _in_stretches(np.arange(len(frames)), fractions)


def _as_it_comes(frames: pd.DataFrame, _fractions: Fractions, _seed: int) -> np.ndarray:
    """Return the division that the frames come with."""
    return frames["part"].to_numpy(dtype=object)


def _in_stretches(order: np.ndarray, fractions: Fractions) -> np.ndarray:
    """Cut frames in ``order`` into as many for each part as the fractions say."""
    import numpy as np

    labels = np.empty(len(order), dtype=object)
    bounds = np.round(np.cumsum(fractions)[:2] * len(order)).astype(int)
    for part, members in zip(PARTS, np.split(order, bounds), strict=True):
        labels[members] = part
    return labels


STRATEGIES = {
    "random": Strategy("split of frames at random", _at_random, seeded=True),
    "run": Strategy("split by run", _by_run, seeded=True),
    "sequential": Strategy("split in time order", _in_file_order, in_time=True),
    "published": Strategy("published split", _as_it_comes, divided=True),
}
