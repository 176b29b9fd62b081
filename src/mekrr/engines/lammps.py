"""LAMMPS driven by a calculator of ASE: its fix external asks for energy, forces and virial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import atomic_numbers

from mekrr.errors import InputError

FIX = "mekrr"
VOIGT = [0, 1, 2, 5, 4, 3]  # ASE's xx yy zz yz xz xy in LAMMPS's order xx yy zz xy xz yz


class Attached:
    """A calculator that a LAMMPS of one process asks in every step.

    Parameters
    ----------
    lmp : a ``lammps.lammps`` with ``units metal``, whose atoms are there. Each of its commands is
        to go through `command`, as LAMMPS knows no errors of Python.
    calculator : of ASE.
    symbols : the element of each of LAMMPS's types of atoms.

    Raises
    ------
    InputError
        If LAMMPS has other units, several processes, or another number of types.
    """

    def __init__(self, lmp: Any, calculator: Calculator, symbols: Sequence[str]):
        if (found := lmp.extract_global("units")) != "metal":
            raise InputError(f"LAMMPS computes in units {found}; give it 'units metal'")
        if (found := lmp.extract_setting("world_size")) != 1:
            raise InputError(f"LAMMPS has {found} processes, a calculator one; start it with one")
        if (found := lmp.extract_setting("ntypes")) != len(symbols):
            raise InputError(f"LAMMPS has {found} types of atoms, symbols are {len(symbols)}")
        if unknown := [symbol for symbol in symbols if symbol not in atomic_numbers]:
            raise InputError(f"symbols: {unknown[0]!r} is no element")
        self._lmp, self._calculator = lmp, calculator
        self._numbers = np.array([0, *(atomic_numbers[symbol] for symbol in symbols)])
        self._error: Exception | None = None
        lmp.command(f"fix {FIX} all external pf/callback 1 1")
        lmp.command(f"fix_modify {FIX} energy yes virial yes")
        lmp.set_fix_external_callback(FIX, self._called)

    def command(self, text: str) -> None:
        """Have LAMMPS carry out a command; raise the error that stopped it, if one did."""
        self._lmp.command(text)
        if self._error is not None:
            error, self._error = self._error, None
            self._lmp.command("timer timeout off")  # that it can run again
            raise error

    def _called(
        self, _: object, step: int, n_atoms: int, tag: np.ndarray, x: np.ndarray, f: np.ndarray
    ) -> None:
        """Set the forces (n_atoms, 3) in eV/Å; energy and virial go to the fix."""
        try:
            f[:] = self._evaluated(tag, x)
        except Exception as error:  # which LAMMPS would go on without
            f[:] = 0.0
            self._error = self._error or error
            self._lmp.force_timeout()

    def _evaluated(self, tag: np.ndarray, x: np.ndarray) -> np.ndarray:
        order = np.argsort(tag)  # LAMMPS sorts atoms now and then
        low, high, xy, yz, xz, periodic, _ = self._lmp.extract_box()
        lx, ly, lz = np.subtract(high, low)
        atoms = Atoms(
            self._numbers[self._lmp.numpy.extract_atom("type")[: len(tag)][order]],
            x[order] - low,
            cell=[[lx, 0.0, 0.0], [xy, ly, 0.0], [xz, yz, lz]],
            pbc=periodic,
            calculator=self._calculator,
        )
        self._lmp.fix_external_set_energy_global(FIX, float(atoms.get_potential_energy()))
        # LAMMPS's virial is positive under pressure, ASE's stress under tension.
        virial = -atoms.get_volume() * atoms.get_stress()[VOIGT]
        self._lmp.fix_external_set_virial_global(FIX, virial.tolist())
        forces = np.empty_like(x)
        forces[order] = atoms.get_forces()
        return forces
