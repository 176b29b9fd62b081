"""Ways of choosing the next frame.

A new one is a class here, and its name in `mekrr.choices.SELECTIONS`.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

import numpy as np

from mekrr.choices import SELECTIONS
from mekrr.selection.covariance import Covariance


class Way(abc.ABC):
    """Chooses one frame after the other.

    Parameters
    ----------
    covariance : of all frames.
    free : (n,) frames that may be chosen, in the order of the trajectory.
    n : how many will be.
    keys : of each frame, which its atoms and the seed decide.
    """

    def __init__(self, covariance: Covariance, free: np.ndarray, n: int, keys: Sequence[bytes]):
        self._covariance, self._free, self._n, self._keys = covariance, free, n, keys
        self._open = np.zeros(len(covariance), dtype=bool)
        self._open[free] = True

    @abc.abstractmethod
    def next(self, left: np.ndarray) -> int:
        """Return the next frame; ``left`` (n_frames,) is what is left of the variances."""

    def know(self, frame: int, kernel: np.ndarray) -> None:
        """Take in that a frame is known, with its kernels (n_frames,)."""
        self._open[frame] = False

    def _best(self, scores: np.ndarray) -> int:
        """Return the open frame of the largest score."""
        return int(np.where(self._open, scores, -np.inf).argmax())


class Variance(Way):
    """The frame of whose energy per atom the least is known."""

    def next(self, left: np.ndarray) -> int:
        return self._best(left)


class Farthest(Way):
    """The frame that is farthest from those known, in the distance of their mean kernels.

    Without any, that whose mean coordinates are the farthest from the mean.
    """

    def __init__(self, covariance: Covariance, free: np.ndarray, n: int, keys: Sequence[bytes]):
        super().__init__(covariance, free, n, keys)
        self._nearest: np.ndarray | None = None

    def next(self, left: np.ndarray) -> int:
        if self._nearest is None:
            return self._best(self._covariance.centre_distances())
        return self._best(self._nearest)

    def know(self, frame: int, kernel: np.ndarray) -> None:
        super().know(frame, kernel)
        own = self._covariance.kernels
        squares = own + own[frame] - 2.0 * kernel
        self._nearest = squares if self._nearest is None else np.minimum(self._nearest, squares)


class Random(Way):
    """Any frame: in an order that the frames and a seed decide, not their places."""

    def __init__(self, covariance: Covariance, free: np.ndarray, n: int, keys: Sequence[bytes]):
        super().__init__(covariance, free, n, keys)
        self._order = iter(sorted(free.tolist(), key=lambda frame: keys[frame]))

    def next(self, left: np.ndarray) -> int:
        return next(self._order)


class Stride(Way):
    """Every so many frames of the trajectory, from the middle of each stretch."""

    def __init__(self, covariance: Covariance, free: np.ndarray, n: int, keys: Sequence[bytes]):
        super().__init__(covariance, free, n, keys)
        self._order = iter(free[strided(len(free), n)].tolist())

    def next(self, left: np.ndarray) -> int:
        return next(self._order)


def strided(n_frames: int, n: int) -> np.ndarray:
    """Return the places (n,) of the frames in the middle of n stretches of n_frames."""
    return ((np.arange(n) + 0.5) * n_frames / n).astype(int)


WAYS: dict[str, type[Way]] = dict(
    zip(SELECTIONS, (Variance, Farthest, Random, Stride), strict=True)
)
