"""What a run was like: conserved or not, how true, with bonds of which lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import covalent_radii
from ase.geometry import find_mic
from scipy.stats import wasserstein_distance

BONDED = 1.2  # of the sum of covalent radii
BIN = 0.002  # Å, of lengths of bonds
RUN = ["dataset", "ensemble", "method", "backbone"]
TRUE = "DIEP"  # in the place of a method: the potential that made the data


def against_truth(
    frames: Sequence[Atoms], truth: Calculator, progress: Callable[[int], object]
) -> pd.DataFrame:
    """Return energies of a trajectory beside the true ones, and how far forces are from these.

    Parameters
    ----------
    frames : with energy, forces and ``info["time_fs"]``.
    truth : the potential that made the data.
    progress : called with the number of frames just done.

    Returns
    -------
    DataFrame with time_fs, n_atoms, energy and true_energy (eV), and force_mse, the mean square of
    the components' errors (eV²/Å²).
    """
    rows = []
    for frame in frames:
        true = frame.copy()
        true.calc = truth
        wrong = frame.get_forces(apply_constraint=False) - true.get_forces(apply_constraint=False)
        rows.append(
            {
                "time_fs": frame.info["time_fs"],
                "n_atoms": len(frame),
                "energy": frame.get_potential_energy(),
                "true_energy": true.get_potential_energy(),
                "force_mse": np.mean(wrong**2),
            }
        )
        progress(1)
    return pd.DataFrame(rows)


def bond_lengths(frames: Sequence[Atoms]) -> pd.DataFrame:
    """Return how often bonds of the first frame have which length in all frames.

    Bonds are pairs closer than `BONDED` times the sum of their covalent radii, called by their
    species, the lighter first.

    Returns
    -------
    DataFrame with bond, length (Å, in steps of `BIN`) and count; lightest bonds first.
    """
    start = frames[0]
    i, j = np.triu_indices(len(start), 1)
    radii = covalent_radii[start.numbers]
    bonded = _distances(start, i, j) < BONDED * (radii[i] + radii[j])
    i, j = i[bonded], j[bonded]
    of_pair = np.sort(start.numbers[np.stack([i, j])], axis=0)
    steps = np.rint([_distances(atoms, i, j) / BIN for atoms in frames]).astype(int)
    tables = []
    kinds = np.unique(of_pair, axis=1).T
    for one, other in kinds[np.argsort(kinds.sum(axis=1), kind="stable")]:
        chosen = (of_pair == [[one], [other]]).all(axis=0)
        lengths, counts = np.unique(steps[:, chosen], return_counts=True)
        name = "–".join(Atoms([one, other]).symbols)
        tables.append(pd.DataFrame({"bond": name, "length": lengths * BIN, "count": counts}))
    return pd.concat(tables, ignore_index=True)


def _distances(atoms: Atoms, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return the distances (n,) in Å of pairs, those of the closest periodic images."""
    return find_mic(atoms.positions[j] - atoms.positions[i], atoms.cell, atoms.pbc)[1]


def read_facts(*files: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield tables of runs, each from several files: logs, errors and bonds."""
    for paths in files:
        tables = [pd.read_csv(path, dtype={"left": str}) for path in paths]
        yield pd.concat(tables, ignore_index=True).fillna({"left": ""})


def summaries(
    logs: pd.DataFrame, errors: pd.DataFrame, bonds: pd.DataFrame, tolerance: float
) -> pd.DataFrame:
    """Return one row per run, by `RUN`, see `summary`.

    Parameters
    ----------
    logs, errors, bonds : of runs, those of the true potential (`TRUE`) among them.
    tolerance : meV/atom.
    """
    errors_of, bonds_of = dict(list(errors.groupby(RUN))), dict(list(bonds.groupby(RUN)))
    rows = []
    for run, log in logs.groupby(RUN, sort=False):
        labels = dict(zip(RUN, run, strict=True))
        true = bonds_of[(*run[:2], TRUE, "none")]
        conserved = labels["ensemble"] == "NVE"
        found = summary(log, errors_of[run], bonds_of[run], true, conserved, tolerance)
        rows.append(labels | found)
    return pd.DataFrame(rows)


def summary(
    log: pd.DataFrame,
    errors: pd.DataFrame,
    bonds: pd.DataFrame,
    true_bonds: pd.DataFrame,
    conserved: bool,
    tolerance: float,
) -> dict[str, object]:
    """Return a run in a few numbers.

    Parameters
    ----------
    log : of the run, see `mekrr.study.experiments.molecular_dynamics.runs.log_of`.
    errors : of `against_truth`. bonds, true_bonds : of `bond_lengths`; the latter of the run by
        the true potential.
    conserved : whether the ensemble conserves the energy.
    tolerance : meV/atom.

    Returns
    -------
    ps : how far it got. left : why it ended there, "" if it came to its end.
    true_ps : how long its energy stayed within the tolerance of the true one's course.
    temperature : K, the mean. drift : meV/atom/ps, of the total energy by a straight line; NaN
        where it is not conserved.
    energy_mae, energy_rmse : meV/atom, on frames of its own, the mean error taken off.
    force_rmse : meV/Å, over all components.
    """
    n_atoms = errors["n_atoms"].iloc[0]
    wrong = 1000 * (errors["energy"] - errors["true_energy"]).to_numpy() / n_atoms
    time = log["time_fs"].to_numpy() / 1000
    found: dict[str, object] = {
        "ps": time[-1],
        "left": log["left"].iloc[-1],
        "true_ps": _true_until(errors["time_fs"].to_numpy() / 1000, wrong, tolerance, time[-1]),
        "temperature": log["temperature_K"].mean(),
        "drift": slope(time, 1000 * log["total_energy"].to_numpy() / n_atoms)
        if conserved
        else np.nan,
        "energy_mae": np.abs(wrong - wrong.mean()).mean(),
        "energy_rmse": wrong.std(),
        "force_rmse": 1000 * np.sqrt(errors["force_mse"].mean()),
    }
    for name, part in true_bonds.groupby("bond", sort=False):
        own = bonds[bonds["bond"] == name]
        found[f"{name} (Å)"] = wasserstein_distance(
            own["length"], part["length"], own["count"], part["count"]
        )
    return found


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Return that of the straight line that fits best; NaN of fewer than two points."""
    return float(np.polyfit(x, y, 1)[0]) if len(x) > 1 else np.nan


def _true_until(times: np.ndarray, wrong: np.ndarray, tolerance: float, end: float) -> float:
    """Return the time of the first frame whose error, less that of the start, is beyond it."""
    beyond = ~(np.abs(wrong - wrong[0]) <= tolerance)
    return float(times[beyond][0]) if beyond.any() else end
