"""Energies and forces that frames come with, and which of a file's values they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from numbers import Real

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr.errors import DataError

ENERGY_LIKE = re.compile(r"ener|etot|^e$|^e[_0-9]|_e$|hartree|free_e", re.IGNORECASE)
FORCE_LIKE = re.compile(r"forc|grad|^f$|_f$|^f_", re.IGNORECASE)
MOST_SHOWN = 6  # keys that are named
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


def energy_like(atoms: Atoms) -> list[str]:
    """Return names of what else may be the energy of a frame: a number, or a text of one."""
    kept = {**getattr(atoms.calc, "results", {}), **atoms.info}
    return [
        str(key)
        for key, value in kept.items()
        if ENERGY_LIKE.search(str(key)) and _is_number(value)
    ][:MOST_SHOWN]


def force_like(atoms: Atoms) -> list[str]:
    """Return names of what else may be the forces of a frame: three numbers per atom."""
    return [
        str(key)
        for key, values in atoms.arrays.items()
        if FORCE_LIKE.search(str(key)) and values.shape == (len(atoms), 3)
    ][:MOST_SHOWN]


def forces_of(atoms: Atoms) -> np.ndarray | None:
    """Return the forces (n_atoms, 3) in eV/Å that a frame comes with; None without usable ones.

    Those of its calculator, else its array ``forces``; without the forces of constraints.
    """
    forces, fault = _forces(atoms)
    return None if fault else forces


def forces_fault(atoms: Atoms) -> str | None:
    """Return why the forces that a frame has cannot be used; None if they can, or it has none."""
    return _forces(atoms)[1]


def check_forces(atoms: Atoms, where: str) -> np.ndarray | None:
    """Return `forces_of` a frame; raise a DataError, opened by ``where``, if they are unusable."""
    forces, fault = _forces(atoms)
    if fault:
        raise DataError(f"{where}: forces are there but cannot be used: {fault}")
    return forces


class ForcesSeen:
    """Which of the frames that are met have forces."""

    def __init__(self) -> None:
        self._n_frames = 0
        self._without: list[int] = []
        self._like: list[str] = []

    def add(self, atoms: Atoms) -> None:
        """Take a frame in."""
        if forces_of(atoms) is None:
            self._without.append(self._n_frames)
        if self._n_frames == 0:
            self._like = force_like(atoms)
        self._n_frames += 1

    def any(self) -> bool:
        """Tell whether one has."""
        return len(self._without) < self._n_frames

    def missing(self) -> str | None:
        """Tell which, if not all, lack forces, or what may be the forces if all do; or None."""
        if 0 < len(self._without) < self._n_frames:
            return (
                f"{len(self._without)} of {self._n_frames} frames have no forces (the first of "
                f"them is frame {self._without[0]}); they count for energies only"
            )
        if self._without and self._like:
            return (
                f"no frame has forces, but {', '.join(self._like)} may be; if so, name their key "
                "(`forces_key`)"
            )
        return None


def missing_forces(frames: Iterable[Atoms]) -> str | None:
    """Tell what `ForcesSeen` does of some frames."""
    seen = ForcesSeen()
    for atoms in frames:
        seen.add(atoms)
    return seen.missing()


def stress_of(atoms: Atoms) -> np.ndarray | None:
    """Return the stress (6,) in eV/Å³, in Voigt's order, that a frame comes with.

    None where it is not six finite numbers, and of a frame without a cell of three vectors.
    """
    try:
        stress = np.asarray(atoms.get_stress(apply_constraint=False), dtype=np.float64)
    except (PropertyNotImplementedError, RuntimeError):  # none, or no calculator
        return None
    except (AssertionError, AttributeError, TypeError, ValueError):  # neither (6,) nor (3, 3)
        return None
    return stress if np.isfinite(stress).all() and atoms.cell.rank == 3 else None


def slopes_along(
    directions: Sequence[np.ndarray], forces: Sequence[np.ndarray | None]
) -> np.ndarray:
    """Return the derivatives (Σ q,) in eV/Å of energies along directions, -F·v.

    Parameters
    ----------
    directions : of each frame, (q, n, 3) unit vectors v.
    forces : of each frame, (n, 3) in eV/Å; None for those that have no direction.
    """
    slopes = [
        -np.einsum("qna,na->q", v, own)
        for v, own in zip(directions, forces, strict=True)
        if own is not None
    ]
    return np.concatenate([np.zeros(0), *slopes])


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


class KeysSeen:
    """Whether any of the frames that are met, relabelled, has what a key names."""

    def __init__(self, energy_key: str | None, forces_key: str | None):
        given = {"energy": energy_key, "forces": forces_key}
        self._missing = {what: key for what, key in given.items() if key is not None}
        self._first: list[str] | None = None

    def add(self, atoms: Atoms) -> None:
        """Take a frame in."""
        if self._first is None:
            self._first = [str(key) for key in (*atoms.info, *atoms.arrays)]
        for what in list(self._missing):
            if what in atoms.calc.results or atoms.has(what):
                del self._missing[what]

    def require(self, source: str) -> None:
        """Raise a DataError if none has."""
        for what, key in self._missing.items():
            keys = ", ".join(self._first or [])
            raise DataError(
                f"{source}: no frame has {what} {key!r} (keys: {keys}); correct the key"
            )


def _energy(atoms: Atoms) -> tuple[float | None, str | None]:
    """Return the energy and None, or None and why it is no number; None twice if absent."""
    try:
        value = atoms.get_potential_energy(apply_constraint=False)
    except PropertyNotImplementedError:
        stored = getattr(atoms.calc, "results", {}).get("energy")
        if stored is None:
            return None, None
        return None, _changed("energy was")
    except RuntimeError:  # no calculator
        return None, None
    if isinstance(value, bool | np.bool_):
        return None, f"{value} is true or false, or a key without value; write energy=NUMBER"
    if isinstance(value, complex | np.complexfloating):
        return None, f"{value} is a complex number; give a real one"
    if isinstance(value, str):
        return None, _of_text(value, "eV")
    if isinstance(value, np.ndarray) and value.shape in ((), (1,)) and value.dtype.kind in "if":
        value = value.reshape(())[()]
    if not isinstance(value, Real):
        return None, f"{' '.join(str(value).split())[:60]} is not one number; give one, in eV"
    return float(value), None


def _forces(atoms: Atoms) -> tuple[np.ndarray | None, str | None]:
    """Return forces and None, or None and why they cannot be used; None twice if absent."""
    try:
        value: object = atoms.get_forces(apply_constraint=False)
    except PropertyNotImplementedError:
        if getattr(atoms.calc, "results", {}).get("forces") is not None:
            return None, _changed("forces were")
        value = atoms.arrays.get("forces")
    except RuntimeError:  # no calculator
        value = atoms.arrays.get("forces")
    if value is None:
        return None, None
    n_atoms = len(atoms)
    try:
        forces = np.asarray(value)
    except ValueError:  # rows of several lengths
        return None, f"they are not three numbers for each of {n_atoms} atoms; recompute them"
    if forces.shape != (n_atoms, 3):
        return None, (
            f"their shape is {forces.shape} and should be {(n_atoms, 3)}, three numbers for each "
            "atom; correct or remove them"
        )
    if forces.dtype.kind not in "if":
        return None, _of_words(forces)
    infinite = np.flatnonzero(~np.isfinite(forces).all(axis=1))
    if len(infinite):
        atom = infinite[0]
        shown = ", ".join(f"{component:.4g}" for component in forces[atom])
        return None, f"that of atom {atom} is ({shown}); remove or recompute the frame"
    return forces.astype(np.float64, copy=False), None


def _changed(what: str) -> str:
    return (
        f"the frame was changed after its {what} computed; compute anew, or attach what belongs to "
        "it (SinglePointCalculator)"
    )


def _of_words(forces: np.ndarray) -> str:
    """Return why forces that are no numbers are none, by the first entry that is at fault."""
    if forces.dtype.kind in "UO":
        for (atom, _), word in np.ndenumerate(forces):
            try:
                float(word)
            except (TypeError, ValueError):
                return f"that of atom {atom}: {_of_text(str(word), 'eV/Å')}"
    return f"they are {forces.dtype.name}, not real numbers; correct or remove them"


def _of_text(value: str, unit: str) -> str:
    """Return why a text is no number of a unit."""
    shown = repr(value[:40])
    if FORTRAN.fullmatch(value.strip()):
        return f"{shown} has Fortran's D exponent; write E in its place"
    if value and set(value) == {"*"}:
        return f"{shown} is a number too wide for its Fortran format; remove or recompute the frame"
    return f"{shown} is no number; give one, in {unit}"


def _is_number(value: object) -> bool:
    """Tell whether a value is one number, or a text of one as Fortran writes them too."""
    if isinstance(value, np.ndarray) and value.shape in ((), (1,)):
        value = value.reshape(())[()]
    if isinstance(value, str):
        return FORTRAN.fullmatch(value.strip()) is not None
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _candidates(atoms: Atoms) -> str:
    """Return what a frame has that may be its energy, else the keys that it has."""
    keys = [*getattr(atoms.calc, "results", {}), *atoms.info]
    if likely := energy_like(atoms):
        return f", but it has {', '.join(likely)}"
    return f" (its keys: {', '.join(map(str, keys[:8]))})" if keys else ""
