"""What training atoms, and the atoms of a frame, count in a sum of kernels; see `expansion`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Weights:
    """What training atoms (M,) count: a for atoms of all species, b for those of their own."""

    every: np.ndarray
    same: np.ndarray


@dataclass(frozen=True)
class Shares:
    """What an atom of a frame counts: p, and p_s by atomic number."""

    every: float
    same: Mapping[int, float]

    @classmethod
    def of(cls, species: np.ndarray, extensive: bool) -> Shares:
        """Return those of a frame with atoms (n,) of these atomic numbers."""
        found, counts = np.unique(species, return_counts=True)
        if extensive:
            return cls(1.0, dict.fromkeys(found.tolist(), 1.0))
        return cls(
            1.0 / len(species), dict(zip(found.tolist(), (1.0 / counts).tolist(), strict=True))
        )
