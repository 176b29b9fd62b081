"""Shared fixtures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111

from mekrr.features.store import FrameFeatures

sys.path.insert(0, str(Path(__file__).parent))  # for `samples` and `tolerances`


@pytest.fixture
def rng():
    return np.random.default_rng(20231210)


@pytest.fixture
def ragged(rng):
    """Features of frames that differ in size and species; some lack a species altogether."""
    compositions = [(29, 29, 29, 6), (29, 1), (8, 8, 8), (29,) * 9, (6, 1, 1, 29, 29), (1,)]
    species = np.concatenate([rng.permutation(c) for c in compositions])
    centres = {z: rng.normal(size=12) for z in (1, 6, 8, 29)}
    features = np.stack([centres[z] for z in species]) + 0.3 * rng.normal(size=(len(species), 12))
    pointer = np.cumsum([0, *map(len, compositions)])
    return FrameFeatures(features.astype(np.float32), species, pointer)


@pytest.fixture
def surface(rng):
    """Small slabs with adsorbed atoms, displaced at random: frames for every backbone."""
    frames = []
    for k in range(3):
        slab = fcc111("Cu", (2, 2, 2 + k % 2), a=3.6, vacuum=5.0, periodic=True)
        top = slab.positions[slab.positions[:, 2].argmax()]
        slab += Atoms("CO", positions=top + np.array([[0, 0, 1.85], [0.2, 0.1, 3.0]]))
        slab.positions += 0.08 * rng.normal(size=slab.positions.shape)
        frames.append(slab)
    return frames
