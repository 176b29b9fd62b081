"""What a file of a SchNet's weights holds, whatever its layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from mekrr.backbones.schnet.layers import SPECIES, SchNetLayers

EVERY = frozenset(range(1, SPECIES))


@dataclass(frozen=True)
class Weights:
    """A SchNet, frozen, and what makes its output an energy.

    Attributes
    ----------
    model : the layers.
    mean, std : eV, of the energies that it was trained on; its output times ``std`` plus ``mean``.
    most_neighbours : of an atom, the nearest; None for all within the cutoff.
    references : (SPECIES,) float64, eV by atomic number, that each atom adds; None for none.
    species : atomic numbers that it was trained on.
    provenance : how it came about, for people; empty where the file does not say.
    """

    model: SchNetLayers
    mean: float
    std: float
    most_neighbours: int | None
    references: torch.Tensor | None = None
    species: frozenset[int] = EVERY
    provenance: Mapping[str, Any] = field(default_factory=dict)
