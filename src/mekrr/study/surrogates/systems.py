"""The systems of the paper as slabs with an adsorbate, at a given lattice constant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.build import bcc111, fcc110
from ase.constraints import FixAtoms

SURFACES = {"Fe(111)": (bcc111, "Fe"), "Cu(110)": (fcc110, "Cu")}
DEUTERIUM = 2.014  # u


def build(
    surface: str,
    size: Sequence[int],
    lattice_constant: float,
    vacuum: float,
    fixed_layers: int,
    adsorbate: str,
    offsets: Sequence[Sequence[float]],
) -> Atoms:
    """Slab, periodic in all directions, its lowest layers fixed, with an adsorbate last.

    Parameters
    ----------
    surface : a key of SURFACES. size : cells along the surface and number of layers.
    lattice_constant, vacuum : Å; the vacuum on each side.
    fixed_layers : number of layers that never move.
    adsorbate : its formula. offsets : (n, 3) Å, its atoms from the topmost metal atom.

    Hydrogen gets the mass of deuterium: it changes no average over positions and lets one
    time step serve the C-H and the N-N bond.
    """
    make, metal = SURFACES[surface]
    slab = make(metal, tuple(size), a=lattice_constant, vacuum=vacuum, periodic=True)
    heights = np.unique(slab.positions[:, 2].round(4))
    slab.set_constraint(FixAtoms(mask=slab.positions[:, 2] < heights[fixed_layers] - 1e-2))
    top = slab.positions[slab.positions[:, 2].argmax()]
    atoms = slab + Atoms(adsorbate, positions=top + np.asarray(offsets, dtype=float))
    weigh(atoms)
    return atoms


def weigh(atoms: Atoms) -> None:
    """Set the masses of the dynamics: hydrogen has that of deuterium."""
    masses = atoms.get_masses()
    masses[atoms.numbers == 1] = DEUTERIUM
    atoms.set_masses(masses)
