"""Where a run has left the physics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.geometry import get_distances

MANY = 200  # atoms
FARTHEST = 2.0


@dataclass(frozen=True)
class Limits:
    """Bounds beyond which a run is no longer of this system.

    Attributes
    ----------
    hottest : multiple of the temperature that was set.
    closest : of any two atoms, as a share of the sum of their covalent radii.
    drift : meV/atom, of the total energy from that of the start; of NVE alone.
    """

    hottest: float
    closest: float
    drift: float

    def passed(self, temperature: float, target: float, closest: float, drift: float | None) -> str:
        """Return why a state is beyond them, "" if it is not.

        Parameters
        ----------
        temperature, target : K.
        closest : see `closeness`.
        drift : eV/atom; None in an ensemble that does not conserve the energy.
        """
        if not np.isfinite([temperature, closest, drift or 0.0]).all():
            return "not finite"
        if self.too_hot(temperature, target):
            return "too hot"
        if closest < self.closest:
            return "atoms too close"
        if drift is not None and abs(1000 * drift) > self.drift:
            return "energy not conserved"
        return ""

    def too_hot(self, temperature: float, target: float) -> bool:
        """Tell whether a temperature (K) is beyond them, or is no number."""
        return not temperature <= self.hottest * target


def closeness(atoms: Atoms) -> float:
    """Return the least distance of two atoms as a share of the sum of their covalent radii.

    Distances are those of the closest periodic images; NaN if a position is not finite. Of many
    atoms it is inf if no two are closer than `FARTHEST` times that sum.
    """
    if not np.isfinite(atoms.positions).all():
        return np.nan
    radii = covalent_radii[atoms.numbers]
    if len(atoms) > MANY:
        return _closeness_of_many(atoms, radii)
    distances = get_distances(atoms.positions, cell=atoms.cell, pbc=atoms.pbc)[1]
    shares = distances / (radii[:, None] + radii)
    return float(shares[np.triu_indices(len(atoms), 1)].min(initial=np.inf))


def _closeness_of_many(atoms: Atoms, radii: np.ndarray) -> float:
    """Look at neighbours alone: all pairs of 1,400 atoms would take seconds and 2 GB."""
    from vesin import NeighborList

    search = NeighborList(cutoff=2 * FARTHEST * radii.max(), full_list=False, n_threads=1)
    i, j, d = search.compute(atoms.positions, atoms.cell.complete().array, atoms.pbc, "ijd")
    shares = d / (radii[i] + radii[j])
    return float(shares[(i != j) & (shares <= FARTHEST)].min(initial=np.inf))
