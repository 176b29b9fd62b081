"""Division of a data set's frames into train, val and test."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mekrr.choices import PARTS
from mekrr.data.strategies import STRATEGIES, Fractions
from mekrr.errors import ConfigError, DataError

LEAST_VALIDATION = 10


def split_frames(
    frames: pd.DataFrame, strategy: str, fractions: Fractions, seed: int, source: str
) -> pd.DataFrame:
    """Assign every frame to train, val or test.

    Parameters
    ----------
    frames : table of frames in file order, with ``run`` and, if they come divided, ``part``.
    strategy : "random", frames at random; "run", whole runs at random, shared out so that the
        parts come as close to ``fractions`` as the runs' lengths allow; "sequential", train, val
        and test as consecutive stretches of the file; or "published", the division that the
        frames come with. The last two ignore the seed. See `mekrr.data.strategies`.
    fractions : shares of train, val and test, summing to 1.
    seed : seed of the random strategies.
    source : name of the data set, for error messages.

    Returns
    -------
    DataFrame with columns index, split, in file order.

    Raises
    ------
    ConfigError
        If there is no such strategy.
    DataError
        If a part would be empty, or the frames do not come divided.
    """
    if strategy not in STRATEGIES:
        raise ConfigError(f"strategy={strategy!r} is unknown; known: {', '.join(STRATEGIES)}")
    if STRATEGIES[strategy].divided and "part" not in frames:
        raise DataError(
            f"{source}: split {strategy!r} needs frames that come divided into train, val and "
            "test; choose another strategy"
        )
    labels = STRATEGIES[strategy].divide(frames, fractions, seed)
    for part in PARTS:
        if not (labels == part).any():
            raise DataError(
                f"{source}: split {strategy!r} leaves {part} empty "
                f"({len(frames)} frames in {frames['run'].nunique()} runs); "
                "choose other fractions or another strategy"
            )
    return pd.DataFrame({"index": np.arange(len(frames)), "split": labels})


def subset(split: np.ndarray, n_train: int, seed: int) -> np.ndarray:
    """Return a split with fewer training and validation frames, the others "unused".

    They are nested and drawn at random by the seed. Validation frames cost labels too: their
    number falls with that of the training frames, in the proportion of the split, but not below
    ``LEAST_VALIDATION``.

    Parameters
    ----------
    split : (n_frames,) of "train", "val", "test".
    n_train : training frames to keep, at most all.
    """
    counts = {part: int(np.count_nonzero(split == part)) for part in ("train", "val")}
    n_train = min(n_train, counts["train"])
    in_proportion = -(-n_train * counts["val"] // counts["train"])
    keep = {"train": n_train, "val": max(in_proportion, LEAST_VALIDATION)}
    smaller = split.astype(object)
    for part in ("train", "val"):
        order = np.random.default_rng(seed).permutation(np.flatnonzero(split == part))
        smaller[order[keep[part] :]] = "unused"
    return smaller
