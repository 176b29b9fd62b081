"""Division of a data set's frames into train, val and test."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mekrr.errors import DataError

PARTS = ("train", "val", "test")


def split_frames(
    frames: pd.DataFrame,
    strategy: str,
    fractions: tuple[float, float, float],
    seed: int,
    source: str,
) -> pd.DataFrame:
    """Assign every frame to train, val or test.

    Parameters
    ----------
    frames : table of frames in file order, with ``run`` and, for "published", ``part``.
    strategy : {"random", "run", "sequential", "published"}
        Frames at random; whole runs at random, shared out so that the parts come as
        close to ``fractions`` as the runs' lengths allow; or train, val, test as
        consecutive stretches of the file; or the division that the data set comes with.
        The last two ignore the seed.
    fractions : shares of train, val and test, summing to 1.
    seed : seed of the random strategies.
    source : name of the data set, for error messages.

    Returns
    -------
    DataFrame with columns index, split, in file order.

    Raises
    ------
    DataError
        If a part would be empty, or the data set does not come divided.
    """
    runs = frames["run"].to_numpy()
    if strategy == "published":
        labels = _as_published(frames, source)
    elif strategy == "run":
        labels = _by_run(runs, fractions, seed)
    else:
        bounds = np.round(np.cumsum(fractions)[:2] * len(runs)).astype(int)
        order = np.arange(len(runs))
        if strategy == "random":
            order = np.random.default_rng(seed).permutation(len(runs))
        labels = np.empty(len(runs), dtype=object)
        for part, members in zip(PARTS, np.split(order, bounds), strict=True):
            labels[members] = part
    for part in PARTS:
        if not (labels == part).any():
            raise DataError(
                f"{source}: split {strategy!r} leaves {part} empty "
                f"({len(runs)} frames in {len(np.unique(runs))} runs); "
                "choose other fractions or another strategy"
            )
    return pd.DataFrame({"index": np.arange(len(runs)), "split": labels})


def _as_published(frames: pd.DataFrame, source: str) -> np.ndarray:
    if "part" not in frames:
        raise DataError(
            f"{source}: split 'published' needs frames that come divided into train, val and test; "
            "choose another strategy"
        )
    return frames["part"].to_numpy(dtype=object)


def _by_run(runs: np.ndarray, fractions: tuple[float, float, float], seed: int) -> np.ndarray:
    """Give runs, in random order, to the part that lacks most of its share so far."""
    names, counts = np.unique(runs, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    missing = np.asarray(fractions, dtype=float) * len(runs)
    labels = np.empty(len(runs), dtype=object)
    for k in order:
        part = int(np.argmax(missing))
        labels[runs == names[k]] = PARTS[part]
        missing[part] -= counts[k]
    return labels
