"""Which labels of a network are not to be believed.

Far from what it was trained on, a network may be unphysical without a sign of it. Frames are
dropped where its forces are beyond any that the set is for, where atoms are closer than any bond,
and where atoms that are much closer than a bond attract.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list

from mekrr.dynamics.limits import closeness


@dataclass(frozen=True)
class Limits:
    """Beyond which a frame is dropped.

    Attributes
    ----------
    force : eV/Å, of any atom.
    closest : of the sum of two atoms' covalent radii.
    repulsive : the same, below which atoms must not attract.
    """

    force: float
    closest: float
    repulsive: float


def too_close(atoms: Atoms, limits: Limits) -> bool:
    """Whether two atoms are closer than ``limits.closest``; no labels are needed."""
    return closeness(atoms) < limits.closest


def fault(atoms: Atoms, limits: Limits) -> str:
    """Return why a labelled frame is dropped: "force", "close" or "attraction"; "" if it is not."""
    forces = atoms.get_forces(apply_constraint=False)
    if not np.isfinite(atoms.get_potential_energy()) or not np.isfinite(forces).all():
        return "force"
    if np.linalg.norm(forces, axis=1).max() > limits.force:
        return "force"
    if too_close(atoms, limits):
        return "close"
    radii = covalent_radii[atoms.numbers] * limits.repulsive
    first, second, way = neighbor_list("ijD", atoms, radii.tolist())
    towards = np.einsum("px,px->p", forces[first] - forces[second], way)
    return "attraction" if (towards > 0).any() else ""
