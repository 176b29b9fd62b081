"""Which atoms of a frame enter the kernel.

Slabs are mostly bulk: leaving out atoms that see no change saves storage and makes the
Gram matrix cheaper by the square of the share that stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.data import atomic_numbers
from ase.geometry import get_distances
from pydantic import ValidationError

from mekrr.closed import validator
from mekrr.errors import ConfigError, DataError
from mekrr.features.rule import WORDS, AtomRule


def selected(atoms: Atoms, rule: str | Mapping, source: str) -> np.ndarray:
    """Return the mask (n_atoms,) of the atoms that a rule keeps.

    Parameters
    ----------
    rule : "all"; "mobile", those that the file does not mark as fixed (extxyz: move_mask);
        ``{species: [N, O]}``; or ``{within: 4.0, of: [N]}``, those at most that far (Å)
        from an atom of one of the species, these included.
    source : name of the data set, for error messages.

    Raises
    ------
    DataError
        If nothing is left, or "mobile" is asked of a frame that fixes no atom.
    """
    if rule == "all":
        return np.ones(len(atoms), dtype=bool)
    if isinstance(rule, str):  # "mobile"
        fixed = [c.index for c in atoms.constraints if isinstance(c, FixAtoms)]
        if not fixed:
            raise _nothing(atoms, source, "the file marks no atom as fixed (extxyz: move_mask)")
        mask = np.ones(len(atoms), dtype=bool)
        mask[np.concatenate(fixed)] = False
    elif "species" in rule:
        mask = _of_species(atoms, rule["species"])
    else:
        centres = _of_species(atoms, rule["of"])
        if not centres.any():
            raise _nothing(atoms, source, f"no atom of {', '.join(rule['of'])}")
        _, distances = get_distances(
            atoms.positions[centres], atoms.positions, cell=atoms.cell, pbc=atoms.pbc
        )
        mask = (distances <= rule["within"]).any(axis=0)
    if not mask.any():
        raise _nothing(atoms, source, "no atom is selected")
    return mask


def check_rule(rule: object) -> None:
    """Raise a ConfigError for what is no rule of `selected`."""
    try:
        _validated(_plain(rule))
    except ValidationError as error:
        raise ConfigError(
            f"atoms={rule!r} is no rule: {WORDS} with elements' symbols and Å"
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


def _nothing(atoms: Atoms, source: str, why: str) -> DataError:
    return DataError(f"{source}: frame {atoms.info.get('frame', 0)}: {why}; choose other `atoms`")
