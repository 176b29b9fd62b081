"""Reference energies: the part of a total energy that the composition alone decides.

Total energies of frames of different composition differ by far more than the interactions
that a kernel is to learn. A reference Σ_s n_s e_s, n_s atoms of species s, is subtracted
before a fit and added to its predictions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from ase.formula import Formula

from mekrr.errors import DataError


def species_of(table: pd.DataFrame) -> list[str]:
    """Symbols of all species in a table of frames, from its formulae."""
    return _composition(table["formula"])[1]


def reference_energies(
    formulas: Sequence[str],
    energy: np.ndarray,
    train: np.ndarray,
    rule: str | Mapping[str, float],
    source: str,
) -> np.ndarray:
    """Reference energy of each frame, fitted on the training frames only.

    Parameters
    ----------
    formulas : chemical formula of each frame.
    energy : (n_frames,) total energies in eV.
    train : indices of the training frames.
    rule : "none" (zero), "mean" (the mean training energy per atom for every atom),
        "least-squares" (an energy per species, fitted to the training energies; the one of
        least norm where the compositions leave it undetermined), or an energy in eV per
        species, e.g. of isolated atoms or of bulk.
    source : name of the data set, for error messages.

    Returns
    -------
    (n_frames,) float64, eV.

    Raises
    ------
    DataError
        If a species has no reference: not in the training frames, or not in ``rule``.
    """
    counts, species = _composition(formulas)
    if rule == "none":
        return np.zeros(len(energy))
    if rule == "mean":
        n_atoms = counts.sum(axis=1)
        return n_atoms * np.mean(energy[train] / n_atoms[train])
    if rule == "least-squares":
        _require(species, counts[train].any(axis=0), source, "in no training frame")
        per_species, *_ = np.linalg.lstsq(counts[train], energy[train], rcond=None)
    else:
        known = [s in rule for s in species]
        _require(species, known, source, "without energy in `reference_energy`")
        per_species = np.array([rule[s] for s in species])
    return counts @ per_species


def _composition(formulas: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """(n_frames, n_species) float64 numbers of atoms, and the species."""
    counted = {formula: Formula(formula).count() for formula in set(formulas)}
    species = sorted(set().union(*counted.values()))
    rows = {f: [count.get(s, 0) for s in species] for f, count in counted.items()}
    return np.array([rows[f] for f in formulas], dtype=np.float64), species


def _require(species: Sequence[str], known: Sequence[bool], source: str, fault: str) -> None:
    missing = [s for s, k in zip(species, known, strict=True) if not k]
    if missing:
        raise DataError(
            f"{source}: species {', '.join(missing)} {fault}; set `reference_energy` of the data "
            "set to an energy in eV for every species, or to mean"
        )
