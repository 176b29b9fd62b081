"""What is expected of a data set, held against the frames that were read."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from mekrr.errors import DataError

ROUGHLY = 0.1  # how far off the mean number of atoms may be stated


def meet(rows: pd.DataFrame, isolated: Container[int], entry: Mapping, source: str) -> pd.DataFrame:
    """Return rows of frames with the runs that are expected.

    Raises a DataError if the frames are not what is expected.

    Parameters
    ----------
    rows : of all frames, with frame, run and n_atoms; run is another if the entry gives ``runs``.
    isolated : places of those that are isolated atoms.
    entry : ``frames``, their number; ``atoms``, the number of atoms in each; ``mean_atoms``, the
        same on average, to a tenth; ``runs``, the first frame of each run. All are optional.
    source : name of the file, for error messages.
    """
    if "frames" in entry and len(rows) != entry["frames"]:
        raise DataError(
            f"{source}: {len(rows)} frames, expected {entry['frames']}; the file is another or "
            "not whole: restore it, or correct `frames`"
        )
    for place in np.flatnonzero(rows["n_atoms"] != entry.get("atoms", rows["n_atoms"])).tolist():
        if place not in isolated:
            raise DataError(
                f"{source}: frame {rows['frame'][place]}: {rows['n_atoms'][place]} atoms, expected "
                f"{entry['atoms']}; the file is another, or correct `atoms`"
            )
    mean = float(rows["n_atoms"].mean())
    if abs(mean - entry.get("mean_atoms", mean)) > ROUGHLY * mean:
        raise DataError(
            f"{source}: {mean:.1f} atoms in a frame on average, expected {entry['mean_atoms']}; "
            "the file is another, or correct `mean_atoms`"
        )
    return rows.assign(run=_runs(len(rows), entry["runs"], source)) if "runs" in entry else rows


def energy_doubt(table: pd.DataFrame, bounds: Sequence[float] | None) -> str | None:
    """Return a doubt about the unit of the energies, None if their median lies within ``bounds``.

    Parameters
    ----------
    table : of frames, with energy (eV, of the whole frame) and n_atoms.
    bounds : lowest and highest expected energy in eV/atom, None if unknown.
    """
    if bounds is None:
        return None
    low, high = bounds
    per_atom = float((table["energy"] / table["n_atoms"]).median())
    if low <= per_atom <= high:
        return None
    as_given = float(table["energy"].median())
    cause = (
        "the file seems to give energies per atom; write total energies of whole frames"
        if low <= as_given <= high
        else "they may be in another unit than eV or on another scale; convert them, or correct "
        "`energy_range`"
    )
    return (
        f"energies of median {per_atom:.4g} eV/atom are outside the expected {low:g} to "
        f"{high:g} eV/atom: {cause}"
    )


def _runs(n_frames: int, starts: Sequence[int], source: str) -> np.ndarray:
    """Return the run (n_frames,) of each frame, by the first frames of all."""
    if starts[0] != 0 or any(b <= a for a, b in pairwise(starts)) or starts[-1] >= n_frames:
        raise DataError(
            f"{source}: runs {list(starts)}: must rise from 0 and end before the file's "
            f"{n_frames} frames; correct `runs`"
        )
    return np.searchsorted(starts, np.arange(n_frames), "right") - 1
