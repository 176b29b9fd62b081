"""Doubt about the unit of energies and forces, from what else is known of the same frames."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from mekrr.data.closeness import Closeness
from mekrr.data.labels import forces_of
from mekrr.data.references import is_isolated
from mekrr.data.work import closest, in_time, work_of_forces
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
    "Hartree/Å": 1 / HARTREE,
    "Rydberg/Bohr": BOHR / RYDBERG,
    "kcal/mol/Å": 23.060548,
    "kJ/mol/Å": 96.485332,
    "kJ/mol/nm": 964.85332,
    "meV/Å": 1000.0,
}
FEWEST = 10  # pairs of frames by which units of forces are told
MOST_PAIRS = 500  # that are looked at
FARTHEST = 0.2  # Å RMSD between the frames of a pair
DISAGREEMENT = 0.25  # median distance of pairs from their median, relative to it
EXACTNESS = 0.04  # relative; Rydberg/Bohr and Hartree/Å are 0.057 apart
HONEST = 1.6  # times 1 at most, either way; units that do not belong together make 1.89 and more
LEAST_CHANGE = 1e-4  # eV; where energies change by less, forces may well be 0


def warn_of_units(frames: Sequence[Atoms], source: str) -> None:
    """Warn in one line if forces say that energies, or they, are in another unit.

    Frames that do not state their ``run`` are of one.
    """
    several = [atoms for atoms in frames if not is_isolated(atoms)]
    runs = np.array([str(atoms.info.get("run", "")) for atoms in several])
    if doubt := force_doubt(several, runs):
        warnings.warn(f"{source}: {doubt}", DataWarning, stacklevel=2)


def force_doubt(
    frames: Sequence[Atoms], runs: np.ndarray, closeness: Closeness | None = None
) -> str | None:
    """Tell what is wrong if energies and forces are a known factor apart; or None.

    Judged by frames close to each other: those next in time or, where these are far apart or
    the frames in no order, each and the closest to it.

    Parameters
    ----------
    frames : with energies (eV) and forces (eV/Å); those without are left out.
    runs : (n_frames,) run of each, within which frames are in order of time.
    closeness : of the same frames; None: made where it is needed.
    """
    if all(forces_of(atoms) is None for atoms in frames):
        return None
    following = in_time(runs)
    pairs = work_of_forces(frames, following[:: 1 + len(following) // MOST_PAIRS], FARTHEST)
    if len(pairs) < FEWEST < len(frames):
        if closeness is None:
            closeness = Closeness(frames)
        pairs = work_of_forces(frames, closest(closeness, MOST_PAIRS), FARTHEST)
    if len(pairs) < FEWEST:
        return None
    told = f"{len(pairs)} pairs of close frames"
    moved = pairs.work != 0
    if not moved.any():
        if np.median(np.abs(pairs.difference)) < LEAST_CHANGE:
            return None
        return f"forces are 0 although energies change ({told}); remove them if none were computed"
    ratio = pairs.difference[moved] / pairs.work[moved]
    slope = float(np.median(ratio))
    if 1 / HONEST < slope < HONEST:
        return None
    found = _fitting(ratio, MISTAKES) + _fitting(ratio * pairs.n_atoms[moved], PER_ATOM)
    likely = [mistake for mistake in found if mistake.rank == min(one.rank for one in found)]
    if not likely:
        return None
    causes = " or ".join(f"{mistake.cause} ({mistake.remedy})" for mistake in likely)
    return f"energies change {slope:.4g} × as much as forces say ({told}), as if {causes}"


@dataclass(frozen=True)
class Mistake:
    """What may be wrong with labels, and the energy differences over the work of forces then.

    Of those that fit, the ones of the lowest ``rank`` are the likely ones.
    """

    rank: int
    slope: float
    cause: str
    remedy: str

    def of_gradients(self) -> Mistake:
        """Return the same where forces have the sign of gradients too."""
        return Mistake(
            self.rank,
            -self.slope,
            f"{self.cause}, forces being gradients",
            f"{self.remedy}, and change the sign of forces",
        )


def _mistakes() -> list[Mistake]:
    """Return one mistake or two in units that belong together, of either sign."""
    found = []
    for energy, factor in ENERGY_UNITS.items():
        if energy != "eV":
            remedy = f"multiply them by {1 / factor:.6g}"
            found.append(Mistake(0, factor, f"energies were in {energy}, not eV", remedy))
        for force, other in FORCE_UNITS.items():
            if force.startswith(f"{energy}/") and abs(factor / other - 1) > EXACTNESS:
                remedy = f"multiply them by {1 / factor:.6g} and {1 / other:.6g}"
                cause = f"energies were in {energy} and forces in {force}"
                found.append(Mistake(1, factor / other, cause, remedy))
    for force, factor in FORCE_UNITS.items():
        if force != "eV/Å":
            remedy = f"multiply them by {1 / factor:.6g}"
            found.append(Mistake(0, 1 / factor, f"forces were in {force}, not eV/Å", remedy))
            cause = f"forces had been converted from {force} once too often"
            found.append(Mistake(2, factor, cause, f"multiply them by {factor:.6g}"))
    gradients = Mistake(0, -1.0, "forces were gradients", "change their sign")
    return [*found, gradients, *(mistake.of_gradients() for mistake in found)]


MISTAKES = _mistakes()
PER_ATOM = [Mistake(0, 1.0, "energies were per atom", "multiply them by the number of atoms")]


def _fitting(ratio: np.ndarray, mistakes: Sequence[Mistake]) -> list[Mistake]:
    """Return what explains the ratios of pairs of frames, if these agree; the closest first."""
    slope = float(np.median(ratio))
    spread = float(np.median(np.abs(ratio / slope - 1))) if slope else np.inf
    if spread > DISAGREEMENT:
        return []
    tolerance = EXACTNESS + 4 * spread / np.sqrt(len(ratio))  # two standard errors of a median
    fitting = [one for one in mistakes if _distance(slope, one.slope) < tolerance]
    return sorted(fitting, key=lambda one: _distance(slope, one.slope))


def _distance(slope: float, other: float) -> float:
    """Return by what factor two slopes differ, its logarithm; infinity if in sign."""
    return abs(float(np.log(slope / other))) if slope * other > 0 else np.inf


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
