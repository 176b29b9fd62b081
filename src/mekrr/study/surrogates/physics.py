"""Whether the dynamics behind a surrogate data set is physical: facts per frame and per run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from ase import Atoms
from ase.geometry import find_mic, get_distances

from mekrr.data.variables import variable
from mekrr.study.surrogates.systems import build

STRETCHED = 1.6  # Å


def observe(frames: Sequence[Atoms], recipe: Mapping, bond: Mapping) -> pd.DataFrame:
    """Facts of every frame.

    Parameters
    ----------
    frames : of the surrogate, with ``run``, ``time_fs`` and ``temperature_K``.
    recipe : of the surrogate. bond : the variable that tells whether it reacted.

    Returns
    -------
    DataFrame with run, time_fs, temperature_K, energy (meV/atom, from the mean), bond (Å),
    adsorbate (Å, the shortest distance from an atom of the adsorbate to the metal),
    metal (Å, largest displacement of a metal atom since the run's first frame) and fixed
    (the same among those that must not move).
    """
    offsets = next(iter(recipe["starts"].values()))
    system = build(**recipe["system"], offsets=offsets)
    fixed = system.constraints[0].index
    n_metal = len(system) - len(offsets)
    energies = np.array([atoms.get_potential_energy() / len(atoms) for atoms in frames])
    reaction = variable(bond, system)
    rows, first = [], frames[0]
    for atoms, energy in zip(frames, energies - energies.mean(), strict=True):
        if atoms.info["run"] != first.info["run"]:
            first = atoms
        moved = find_mic(atoms.positions - first.positions, atoms.cell, atoms.pbc)[1]
        _, gaps = get_distances(
            atoms.positions[n_metal:], atoms.positions[:n_metal], cell=atoms.cell, pbc=atoms.pbc
        )
        rows.append(
            {
                "run": atoms.info["run"],
                "time_fs": atoms.info["time_fs"],
                "temperature_K": atoms.info["temperature_K"],
                "energy": 1000 * energy,
                "bond": reaction.value(atoms),
                "adsorbate": gaps.min(),
                "metal": moved[:n_metal].max(),
                "fixed": moved[fixed].max(),
            }
        )
    return pd.DataFrame(rows)


def summarise(facts: pd.DataFrame, recipe: Mapping) -> pd.DataFrame:
    """One row per run: set and mean temperature, drift, broken bonds, largest excursions.

    The drift is the slope of the potential energy over the run (meV/atom/ps); a reaction
    shows in it.
    """
    rows = []
    for run, part in facts.groupby("run"):
        rows.append(
            {
                "run": run,
                "seed": recipe["runs"][run]["seed"],
                "start": recipe["runs"][run]["start"],
                "frames": len(part),
                "length (ps)": part["time_fs"].max() / 1000,
                "set T (K)": recipe["runs"][run]["temperature"],
                "mean T (K)": part["temperature_K"].mean(),
                "drift (meV/atom/ps)": 1000 * np.polyfit(part["time_fs"], part["energy"], 1)[0],
                f"bond beyond {STRETCHED} Å (%)": 100 * np.mean(part["bond"] > STRETCHED),
                "farthest adsorbate (Å)": part["adsorbate"].max(),
                "farthest metal (Å)": part["metal"].max(),
                "farthest fixed (Å)": part["fixed"].max(),
            }
        )
    return pd.DataFrame(rows)
