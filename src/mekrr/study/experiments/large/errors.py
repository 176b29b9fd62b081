"""Errors on test frames of a large data set, as sums that add up over shards.

Tables
------
sums, of a shard : method, group, frames, energy_absolute, energy_square (sums of errors in meV/atom
    and of their squares), energy_scored (errors of what is not far off), energy_score (the sum of
    their squares over variances), slopes, slope_absolute, slope_square (meV/Å), slope_scored,
    slope_score
errors, of all : dataset, strategy, seed, size, backbone, n_train, method, group ("all" for all
    frames), frames, rmse, mae (meV/atom), slopes, slope_rmse, slope_mae (meV/Å), energy_score,
    slope_score (means; 1 is right)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mekrr.models.sparse.data import Data
from mekrr.models.sparse.errors import Errors

EVERYTHING = "all"  # groups
WITHOUT_FIT = {"training mean": "references", "untouched GNN": "delta"}  # and their baselines
COUNTS = {"energy": "frames", "slope": "slopes"}


def of_baseline(data: Data, frames: np.ndarray, constant: float) -> Errors:
    """Return the errors of what is known without a fit; it states no standard deviation.

    Parameters
    ----------
    constant : eV, that each selected atom of a frame has beside.
    """
    selected = next(iter(data.features.values())).n_atoms[frames]
    energy = constant * selected - data.energy[frames]
    slope = -data.slopes_of(frames)
    n_atoms = data.n_atoms[frames]
    stds = (np.full(len(off), np.nan) for off in (energy, slope))
    usual = (np.zeros(len(off), dtype=bool) for off in (energy, slope))
    return Errors(energy, next(stds), n_atoms, slope, next(stds), *usual)


def sums_of(errors: Errors, groups: Sequence[str], counts: np.ndarray) -> pd.DataFrame:
    """Return sums of the errors of each group of frames.

    Parameters
    ----------
    groups : (n_frames,) of each frame. counts : (n_frames,) directions of each frame.
    """
    energy, slope = 1000.0 * errors.energy / errors.n_atoms, 1000.0 * errors.slope
    of_frames = _sums("energy", energy, errors.energy / errors.energy_std, errors.usual)
    of_slopes = _sums("slope", slope, errors.slope / errors.slope_std, errors.usual_slope)
    frames = of_frames.groupby(np.asarray(groups)).sum()
    slopes = of_slopes.groupby(np.repeat(np.asarray(groups), counts)).sum()
    return frames.join(slopes).fillna(0.0).reset_index(names="group")


def _sums(what: str, off: np.ndarray, scores: np.ndarray, usual: np.ndarray) -> pd.DataFrame:
    columns = {
        COUNTS[what]: np.ones(len(off), dtype=int),
        f"{what}_absolute": np.abs(off),
        f"{what}_square": np.square(off),
        f"{what}_scored": usual,
        f"{what}_score": np.where(usual, np.square(scores), 0.0),
    }
    return pd.DataFrame(columns)


def errors_by_group(sums: pd.DataFrame, names: Mapping[str, object]) -> pd.DataFrame:
    """Return the table of errors from the sums of all shards, those of all frames first.

    ``names`` are its first columns.
    """
    by_group = sums.groupby(["method", "group"], sort=False).sum().reset_index()
    whole = sums.drop(columns="group").groupby("method", sort=False).sum().reset_index()
    table = pd.concat([whole.assign(group=EVERYTHING), by_group], ignore_index=True)
    found = table[["method", "group", "frames"]].astype({"frames": int})
    found["rmse"] = np.sqrt(table["energy_square"] / table["frames"])
    found["mae"] = table["energy_absolute"] / table["frames"]
    found["slopes"] = table["slopes"].astype(int)
    found["slope_rmse"] = np.sqrt(table["slope_square"] / table["slopes"])
    found["slope_mae"] = table["slope_absolute"] / table["slopes"]
    for what in COUNTS:  # of nothing 0 / 0, an empty cell
        found[f"{what}_score"] = table[f"{what}_score"] / table[f"{what}_scored"]
    for place, (name, value) in enumerate(names.items()):
        found.insert(place, name, value)
    return found
