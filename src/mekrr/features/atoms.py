"""Which atoms of a frame enter the kernel.

Slabs are mostly bulk: leaving out atoms that see no change saves storage and makes the
Gram matrix cheaper by the square of the share that stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.geometry import get_distances
from pydantic import ValidationError

from mekrr.closed import validator
from mekrr.errors import ConfigError, DataError
from mekrr.features.rule import WORDS, AtomRule


def selected(atoms: Atoms, rule: str | Mapping, source: str) -> np.ndarray:
    """Return the mask (n_atoms,) of the atoms that a rule keeps, one or more.

    Parameters
    ----------
    rule : "all"; "mobile", those that the file does not mark as fixed (extxyz: move_mask);
        ``{species: [N, O]}``; ``{within: 4.0, of: [N]}``, those at most that far (Å) from an
        atom of one of the species, these included; or ``{index: [0, 1]}``, those at these
        places in the frame, from 0, as far as it has so many atoms.
    source : name of the data set, for error messages.

    Raises
    ------
    DataError
        If nothing is left, or "mobile" is asked of a frame that fixes no atom.
    """
    mask = selected_if_any(atoms, rule)
    if not mask.any():
        raise DataError(
            f"{source}: frame {atoms.info.get('frame', 0)}: {_why_none(atoms, rule)}; choose other "
            "`atoms`"
        )
    return mask


def selected_if_any(atoms: Atoms, rule: str | Mapping) -> np.ndarray:
    """Return the mask (n_atoms,) of the atoms that a rule of `selected` keeps, perhaps none."""
    if rule == "all":
        return np.ones(len(atoms), dtype=bool)
    if isinstance(rule, str):  # "mobile"
        fixed = _fixed(atoms)
        mask = np.full(len(atoms), bool(fixed))
        mask[np.concatenate([np.zeros(0, dtype=int), *fixed])] = False
        return mask
    if "species" in rule:
        return _of_species(atoms, rule["species"])
    if "index" in rule:
        return np.isin(np.arange(len(atoms)), rule["index"])
    centres = _of_species(atoms, rule["of"])
    if not centres.any():
        return centres
    _, distances = get_distances(
        atoms.positions[centres], atoms.positions, cell=atoms.cell, pbc=atoms.pbc
    )
    return (distances <= rule["within"]).any(axis=0)


def check_rule(rule: object, name: str = "atoms") -> None:
    """Raise a ConfigError, which opens with ``name``, for what is no rule of `selected`."""
    try:
        _validated(_plain(rule))
    except ValidationError as error:
        raise ConfigError(
            f"{name}={rule!r} is no rule: {WORDS} with elements' symbols and Å"
        ) from error


_validated = validator(AtomRule)


def _plain(value: Any) -> Any:
    """A rule of Python's own types, which alone the models take."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value.item() if isinstance(value, np.generic) else value


def _of_species(atoms: Atoms, species: list[str]) -> np.ndarray:
    return np.isin(atoms.numbers, [atomic_numbers[s] for s in species])


def _fixed(atoms: Atoms) -> list[np.ndarray]:
    # Imported where it is used, as in mekrr.data.frames.
    from ase.constraints import FixAtoms

    return [c.index for c in atoms.constraints if isinstance(c, FixAtoms)]


def _why_none(atoms: Atoms, rule: str | Mapping) -> str:
    """Return why a rule keeps none of the atoms."""
    if rule == "mobile" and not _fixed(atoms):
        return "the file marks no atom as fixed (extxyz: move_mask)"
    if isinstance(rule, Mapping) and "of" in rule:
        return f"no atom of {', '.join(rule['of'])}"
    return "no atom is selected"
