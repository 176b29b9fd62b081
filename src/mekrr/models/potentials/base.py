"""The contract of a potential: what it tells of one frame."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from mekrr.backbones.graph import Search, search_pairs
from mekrr.errors import InputError


@dataclass(frozen=True)
class Evaluation:
    """Energy and derivatives of a frame.

    Attributes
    ----------
    energy : eV.
    forces : (n, 3) eV/Å.
    stress : (6,) eV/Å³, in ASE's sign and Voigt order; None for a frame without a cell.
    energies : (n,) eV, those of the atoms, whose sum is the energy; None if it has no such parts.
    energy_std : standard deviation of the energy in eV; None where not asked for.
    """

    energy: float
    forces: np.ndarray
    stress: np.ndarray | None
    energies: np.ndarray | None = None
    energy_std: float | None = None


class Potential(abc.ABC):
    """Energy, forces and stress of frames, one after the other.

    Attributes
    ----------
    has_std : whether it states standard deviations.
    """

    has_std: bool = False

    @abc.abstractmethod
    def evaluate(
        self, atoms: Atoms, *, std: bool = False, search: Search = search_pairs
    ) -> Evaluation:
        """Return energy, forces and stress of a frame.

        Parameters
        ----------
        std : whether the standard deviation of the energy is wanted too, of a potential that
            has one.
        search : finds the pairs of atoms, for potentials that ask for them.

        Raises
        ------
        DataError
            If the frame has an element that the potential does not know.
        """

    def force_std(self, atoms: Atoms, search: Search = search_pairs) -> np.ndarray:
        """Return standard deviations (n, 3), eV/Å, of the components of the forces.

        Raises an InputError if the potential states none.
        """
        raise InputError(f"{type(self).__name__} states no standard deviations of forces")

    def expected_std(self) -> float | None:
        """Return the largest standard deviation that training leads one to expect, eV/atom.

        None of a potential that states none.
        """
        return None

    def doubt(self, frames: Sequence[Atoms]) -> str | None:
        """Return what the training frames leave undetermined of energies; None if nothing.

        The frames' compositions alone decide; see `mekrr.data.references.References.doubt`.
        """
        return None
