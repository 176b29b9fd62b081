"""Where the project is, and frames as a user's file would have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

ROOT = Path(__file__).resolve().parent.parent


class Named(dict):
    """What Snakemake hands to a script: keys that are attributes."""

    __getattr__ = dict.__getitem__


def labelled(n_frames: int = 12, seed: int = 0) -> list[Atoms]:
    """Frames of two runs with energies and forces, as a user's file would have them."""
    rng = np.random.default_rng(seed)
    frames = []
    for k in range(n_frames):
        atoms = Atoms("Cu4", positions=[[0, 0, 0], [0, 1.8, 1.8], [1.8, 0, 1.8], [1.8, 1.8, 0]])
        atoms.set_cell([3.6] * 3)
        atoms.pbc = True
        atoms.positions += 0.1 * rng.normal(size=(4, 3))
        atoms.info["run"] = k // 4
        atoms.calc = SinglePointCalculator(
            atoms, energy=-100.0 + rng.normal(), forces=rng.normal(size=(4, 3))
        )
        frames.append(atoms)
    return frames
