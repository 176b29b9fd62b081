"""Energies and forces that frames come with, and which of a file's values they are."""

from __future__ import annotations

import re
from numbers import Real

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr.errors import DataError

ENERGY_LIKE = re.compile(r"ener|etot|^e$|^e[_0-9]|_e$|hartree|free_e", re.IGNORECASE)
FORTRAN = re.compile(r"[-+]?\d*\.?\d+[dD][-+]?\d+")


def energy_of(atoms: Atoms) -> float | None:
    """Return the energy (eV) that a frame comes with, None if it has none that is a number.

    Without the energies of constraints, such as springs, which are no part of it.
    """
    value, fault = _energy(atoms)
    return None if fault else value


def energy_fault(atoms: Atoms) -> str | None:
    """Return why the energy that a frame has cannot be used; None if it can, or there is none."""
    return _energy(atoms)[1]


def check_energy(atoms: Atoms, where: str) -> float:
    """Return the energy (eV) of a frame; raise a DataError, opened by ``where``, without one."""
    value, fault = _energy(atoms)
    if fault:
        raise DataError(f"{where}: energy is there but cannot be used: {fault}")
    if value is None:
        raise DataError(
            f"{where}: has no energy{_candidates(atoms)}; give every frame its total energy in eV "
            "(extxyz: energy=...), or name its key (`energy_key`)"
        )
    if not np.isfinite(value):
        raise DataError(f"{where}: energy is {value}; remove or recompute the frame")
    return value


def check_forces(atoms: Atoms, where: str) -> None:
    """Raise a DataError if a frame has forces that are not three finite numbers per atom."""
    forces = forces_of(atoms)
    if forces is None:
        if "forces" in atoms.arrays:
            raise DataError(
                f"{where}: forces are there but are not three numbers per atom; correct them, or "
                "name their key (`forces_key`)"
            )
        return
    if forces.shape != (len(atoms), 3) or not np.isfinite(forces).all():
        raise DataError(
            f"{where}: forces are not three finite numbers per atom; remove or recompute the frame"
        )


def forces_of(atoms: Atoms) -> np.ndarray | None:
    """Return forces (n_atoms, 3) in eV/Å without those of constraints; None without any."""
    try:
        return np.asarray(atoms.get_forces(apply_constraint=False))
    except (RuntimeError, PropertyNotImplementedError):
        return None


def relabel(atoms: Atoms, energy_key: str | None, forces_key: str | None) -> None:
    """Take energy and forces from other keys of the file than ASE does.

    A frame without the key is left without the energy, or forces.
    """
    results = dict(getattr(atoms.calc, "results", {}))
    if energy_key is not None:
        value = results.get(energy_key, atoms.info.get(energy_key))
        results.pop("energy", None)
        if value is not None:
            results["energy"] = value
    if forces_key is not None:
        forces = results.get(forces_key, atoms.arrays.get(forces_key))
        results.pop("forces", None)
        atoms.arrays.pop("forces", None)
        if forces is not None and np.asarray(forces).dtype.kind in "if":
            results["forces"] = forces
        elif forces is not None:
            atoms.new_array("forces", forces)
    known = {name: value for name, value in results.items() if value is not None}
    atoms.calc = SinglePointCalculator(atoms, **known)


def _energy(atoms: Atoms) -> tuple[float | None, str | None]:
    """Return the energy and None, or None and why it is no number; None twice if absent."""
    try:
        value = atoms.get_potential_energy(apply_constraint=False)
    except PropertyNotImplementedError:
        stored = getattr(atoms.calc, "results", {}).get("energy")
        if stored is None:
            return None, None
        return None, (
            "the frame was changed after its energy was computed; recompute the energy, or attach "
            "it anew (SinglePointCalculator)"
        )
    except RuntimeError:  # no calculator
        return None, None
    if isinstance(value, bool | np.bool_):
        return None, f"{value} is true or false, or a key without value; write energy=NUMBER"
    if isinstance(value, complex | np.complexfloating):
        return None, f"{value} is a complex number; give a real one"
    if isinstance(value, str):
        return None, _of_text(value)
    if isinstance(value, np.ndarray) and value.shape in ((), (1,)) and value.dtype.kind in "if":
        value = value.reshape(())[()]
    if not isinstance(value, Real):
        return None, f"{' '.join(str(value).split())[:60]} is not one number; give one, in eV"
    return float(value), None


def _of_text(value: str) -> str:
    shown = repr(value[:40])
    if FORTRAN.fullmatch(value.strip()):
        return f"{shown} has Fortran's D exponent; write E in its place"
    if value and set(value) == {"*"}:
        return f"{shown} is a number too wide for its Fortran format; remove or recompute the frame"
    return f"{shown} is no number; give one, in eV"


def _candidates(atoms: Atoms) -> str:
    """Return what a frame has that may be its energy, else the keys that it has."""
    keys = [*getattr(atoms.calc, "results", {}), *atoms.info]
    likely = [str(key) for key in keys if ENERGY_LIKE.search(str(key))]
    if likely:
        return f", but it has {', '.join(likely[:6])}"
    return f" (its keys: {', '.join(map(str, keys[:8]))})" if keys else ""
