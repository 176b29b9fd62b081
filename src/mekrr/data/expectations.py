"""What is expected of a data set, held against the frames that were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from ase import Atoms

from mekrr.data.references import is_isolated
from mekrr.errors import DataError


def meet(frames: Sequence[Atoms], entry: Mapping, source: str) -> None:
    """Number the runs of frames, or raise a DataError if they are not what is expected.

    Parameters
    ----------
    frames : as read; ``info["run"]`` is set if the entry gives ``runs``.
    entry : ``frames``, their number; ``atoms``, the number of atoms in each; ``runs``, the
        first frame of each run. All are optional.
    source : name of the file, for error messages.
    """
    if "frames" in entry and len(frames) != entry["frames"]:
        raise DataError(
            f"{source}: {len(frames)} frames, expected {entry['frames']}; the file is another or "
            "not whole: restore it, or correct `frames`"
        )
    for atoms in frames:
        if not is_isolated(atoms) and len(atoms) != entry.get("atoms", len(atoms)):
            raise DataError(
                f"{source}: frame {atoms.info['frame']}: {len(atoms)} atoms, expected "
                f"{entry['atoms']}; the file is another, or correct `atoms`"
            )
    if "runs" in entry:
        _mark_runs(frames, entry["runs"], source)


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


def _mark_runs(frames: Sequence[Atoms], starts: Sequence[int], source: str) -> None:
    if starts[0] != 0 or any(b <= a for a, b in pairwise(starts)) or starts[-1] >= len(frames):
        raise DataError(
            f"{source}: runs {list(starts)}: must rise from 0 and end before the file's "
            f"{len(frames)} frames; correct `runs`"
        )
    for index, run in enumerate(np.searchsorted(starts, np.arange(len(frames)), "right") - 1):
        frames[index].info["run"] = int(run)
