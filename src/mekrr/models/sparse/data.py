"""What a sparse model is fitted to: some frames' features, their derivatives, and energies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mekrr.features.directions_store import FrameDirections
from mekrr.features.store import FrameFeatures

# Beyond these a residual energy or derivative is expected to be off in proportion to its size, so
# that a frame far off, or one on which the network fails, does not decide the fit of all others.
FAR_ENERGY = 1.0  # eV/atom
FAR_SLOPE = 5.0  # eV/Å, along a unit vector


@dataclass(frozen=True)
class Data:
    """What is learnt from: all frames, or a shard of them.

    Attributes
    ----------
    features : by layer, of all frames.
    directions : by layer, of all frames.
    energy : (n_frames,) residual energies in eV; NaN where a frame has none. Or (n_frames, t), of
        t things that may be learnt.
    slope : (n_directions,) or (n_directions, t), residual derivatives in eV/Å along all directions.
    n_atoms : (n_frames,) all atoms of each frame.
    parts : frames of each fold, or of training and validation frames.
    validated : whether the latter.
    """

    features: Mapping[int, FrameFeatures]
    directions: Mapping[int, FrameDirections]
    energy: np.ndarray
    slope: np.ndarray
    n_atoms: np.ndarray
    parts: Sequence[np.ndarray]
    validated: bool

    def of(self, target: int) -> Data:
        """Return what is learnt of one of several things."""
        return replace(self, energy=self.energy[:, target], slope=self.slope[:, target])

    @property
    def train(self) -> np.ndarray:
        """Frames that are fitted."""
        return self.parts[0] if self.validated else np.sort(np.concatenate(self.parts))

    def features_of(self, layers: Sequence[int], frames: np.ndarray) -> FrameFeatures:
        """Return features of some frames, those of layers side by side."""
        return side_by_side([self.features[layer].select(frames) for layer in layers])

    def directions_of(self, layers: Sequence[int], frames: np.ndarray) -> FrameDirections:
        """Return their derivatives. Of many frames these are large: ask for a few at a time."""
        parts = [self.directions[layer].select(frames) for layer in layers]
        if len(layers) == 1:
            return parts[0]
        return replace(parts[0], derivatives=np.hstack([part.derivatives for part in parts]))

    def slopes_of(self, frames: np.ndarray) -> np.ndarray:
        """Return their residual derivatives (Σ q,), or (Σ q, t), in eV/Å."""
        return self.slope[next(iter(self.directions.values())).places(frames)]


def times_expected(targets: np.ndarray, far: float) -> np.ndarray:
    """Return how many times the usual each of some rows (n,) is expected to be off, 1 or more.

    Parameters
    ----------
    targets : (n,) or (n, t), what is learnt: what is farthest off counts.
    """
    columns = targets[:, None] if targets.ndim == 1 else targets
    largest = np.abs(columns).max(axis=1, initial=0.0)
    return np.maximum(1.0, largest / far)


def side_by_side(layers: Sequence[FrameFeatures]) -> FrameFeatures:
    """Return features of several layers side by side, in the order given."""
    if len(layers) == 1:
        return layers[0]
    return replace(layers[0], features=np.hstack([each.features for each in layers]))
