"""Doubt about the unit of energies, from what else is known of the same frames."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from mekrr.data.closeness import NEAR_REPEAT
from mekrr.data.references import is_isolated
from mekrr.errors import DataWarning

MIN_PAIRS = 20
MIN_CORRELATION = 0.8
HARTREE, RYDBERG = 27.211386, 13.605693  # eV
BOHR = 0.529177  # Å
ENERGY_UNITS = {  # one eV in each
    "eV": 1.0,
    "Hartree": 1 / HARTREE,
    "Rydberg": 1 / RYDBERG,
    "kcal/mol": 23.060548,
    "kJ/mol": 96.485332,
    "meV": 1000.0,
}
FORCE_UNITS = {  # one eV/Å in each
    "eV/Å": 1.0,
    "Hartree/Bohr": BOHR / HARTREE,
    "Rydberg/Bohr": BOHR / RYDBERG,
    "kcal/mol/Å": 23.060548,
    "kJ/mol/nm": 964.85332,
}


def work_of_forces(frames: Sequence[Atoms], runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the work of mean forces between close neighbours in time, and energy differences.

    dE = -½ (F_1 + F_2)·dr up to third order in dr; the slope of dE over that work is 1.

    Parameters
    ----------
    frames : with single-point energies (eV) and forces (eV/Å), in order of time in each run.
    runs : (n_frames,) run of each.

    Returns
    -------
    (n_pairs,) each, eV.
    """
    work, difference = [], []
    for k in range(len(frames) - 1):
        one, two = frames[k], frames[k + 1]
        if runs[k] != runs[k + 1] or not np.array_equal(one.numbers, two.numbers):
            continue
        step, lengths = find_mic(two.positions - one.positions, one.cell, one.pbc)
        if not 0 < np.sqrt(np.mean(lengths**2)) < NEAR_REPEAT:
            continue
        mean_force = 0.5 * (one.calc.results["forces"] + two.calc.results["forces"])
        work.append(-np.sum(mean_force * step))
        difference.append(two.calc.results["energy"] - one.calc.results["energy"])
    return np.array(work), np.array(difference)


def warn_of_units(frames: Sequence[Atoms], source: str) -> None:
    """Warn in one line if forces say that energies, or they, are in another unit."""
    frames = [atoms for atoms in frames if not is_isolated(atoms)]
    if not all("forces" in atoms.calc.results for atoms in frames):
        return
    work, difference = work_of_forces(frames, np.array([a.info["run"] for a in frames]))
    if len(work) < MIN_PAIRS or not work.all():
        return
    slope = float(np.median(difference / work))
    if cause := cause_of_slope(slope):
        warnings.warn(
            f"{source}: energies change {slope:.3g} × as much as their forces say ({len(work)} "
            f"pairs of frames): {cause}",
            DataWarning,
            stacklevel=2,
        )


def cause_of_slope(slope: float) -> str | None:
    """Tell why energy differences are ``slope`` times the work of forces, if a unit does."""
    if abs(slope + 1) < 0.1:
        return "the forces seem to be gradients, of the wrong sign"
    if slope <= 0:
        return None
    pairs = {(e, f): ENERGY_UNITS[e] / FORCE_UNITS[f] for e in ENERGY_UNITS for f in FORCE_UNITS}
    # Of those that fit, the fewest units other than ours: eV/Å for Hartree energies.
    fitting = [key for key, factor in pairs.items() if abs(np.log(slope / factor)) < 0.1]
    fitting.sort(key=lambda key: (key[0] != "eV") + (key[1] != "eV/Å"))
    if not fitting or fitting[0] == ("eV", "eV/Å"):
        return None
    energy, force = fitting[0]
    return (
        f"as if energies were in {energy} and forces in {force}; they should be in eV and eV/Å: "
        "convert them"
    )


def unit_doubt(energy: np.ndarray, network: np.ndarray, formulas: Sequence[str]) -> str | None:
    """Tell what is wrong if energies are a known factor off those of a network; or None.

    Parameters
    ----------
    energy, network : (n_frames,) total energies as given, and the network's own in eV.
    formulas : of each frame; energies are compared within a composition.
    """
    energy, network = np.array(energy, dtype=float), np.array(network, dtype=float)
    degrees = len(energy) - len(set(formulas))
    for formula in set(formulas):
        of_it = np.asarray(formulas) == formula
        energy[of_it] -= energy[of_it].mean()
        network[of_it] -= network[of_it].mean()
    norms = np.linalg.norm(energy), np.linalg.norm(network)
    if degrees < MIN_PAIRS or min(norms) == 0:
        return None
    if energy @ network / (norms[0] * norms[1]) < MIN_CORRELATION:
        return None
    slope = norms[0] / norms[1]
    unit = min(ENERGY_UNITS, key=lambda name: abs(np.log(slope / ENERGY_UNITS[name])))
    factor = ENERGY_UNITS[unit]
    if unit == "eV" or abs(np.log(slope / factor)) > np.log(1.4):
        return None
    return (
        f"energies vary {slope:.3g} × as much as those of the network, as if they were in {unit}, "
        f"not eV; if so, multiply them by {1 / factor:.6g}"
    )
