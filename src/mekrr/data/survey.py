"""What the whole of a source decides of its frames: numbers, runs, and what they all lack."""

from __future__ import annotations

import warnings
from math import isfinite
from numbers import Integral, Real
from sys import intern

import numpy as np
import pandas as pd
from ase import Atoms

from mekrr.data.labels import ForcesSeen, KeysSeen
from mekrr.data.references import is_isolated
from mekrr.errors import DataError, DataWarning

MINIMUM_FRAMES = 10  # to train, validate and test


class Survey:
    """Frames that are met one after the other, of which it keeps what decides on the others.

    Attributes
    ----------
    isolated : isolated atoms, which are few, by their place.
    forces : which of the others have forces.
    """

    def __init__(self, energy_key: str | None, forces_key: str | None):
        self.isolated: dict[int, Atoms] = {}
        self._keys = KeysSeen(energy_key, forces_key)
        self.forces = ForcesSeen()
        self._numbers: list[int | None] = []
        self._runs: dict[int, object] = {}
        self._of_file: list[int] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, atoms: Atoms, file: int) -> None:
        """Take a frame in, of a file of that number."""
        self._keys.add(atoms)
        if is_isolated(atoms):
            self.isolated[len(self)] = atoms
        else:
            self.forces.add(atoms)
            if "run" in atoms.info:  # isolated atoms belong to none and need not state one
                self._runs[len(self)] = atoms.info["run"]
        self._numbers.append(_whole_number(atoms.info.get("frame")))
        self._of_file.append(file)

    def require(self, name: str, least: int) -> None:
        """Raise a DataError, opened by ``name``, for what all frames lack; warn of what some lack.

        ``least`` frames are needed, beside isolated atoms.
        """
        self._keys.require(name)
        alone = len(self.isolated)
        if len(self) - alone < least:
            purpose = "train, validate and test" if least >= MINIMUM_FRAMES else "fit a model"
            beside = f" beside {alone} isolated atoms" if alone else ""
            raise DataError(
                f"{name}: {len(self) - alone} frames{beside}; at least {least} are needed to "
                f"{purpose}"
            )
        if missing := self.forces.missing():
            warnings.warn(f"{name}: {missing}", DataWarning, stacklevel=3)

    def numbers(self) -> list[int]:
        """Return numbers of frames: the file's if whole and distinct, else their places."""
        stated = [number for number in self._numbers if number is not None]
        return stated if len(set(stated)) == len(self) else list(range(len(self)))

    def runs(self, name: str) -> list[int]:
        """Return runs of frames: numbers as stated, labels numbered as they appear, else files.

        Raises a DataError, opened by ``name``, if only some state theirs, or not as either.
        """
        if not self._runs:
            return self._of_file
        n_frames = len(self) - len(self.isolated)
        if len(self._runs) < n_frames:
            raise DataError(
                f"{name}: only {len(self._runs)} of {n_frames} frames state their run; add it to "
                "all"
            )
        for index, run in self._runs.items():
            truth = isinstance(run, bool | np.bool_)
            if not (
                isinstance(run, str) or (isinstance(run, Real) and not truth and isfinite(run))
            ):
                raise DataError(
                    f"{name}: frame {index}: run={' '.join(str(run).split())[:40]} is neither a "
                    "number nor a label; correct it, or remove `run` from all frames"
                )
        stated = list(self._runs.values())
        numbers = [whole for run in stated if (whole := _whole_number(run)) is not None]
        if len(numbers) < len(stated):
            labels = {label: k for k, label in enumerate(dict.fromkeys(map(str, stated)))}
            numbers = [labels[str(run)] for run in stated]
        of_frame = dict(zip(self._runs, numbers, strict=True))
        return [of_frame.get(index, 0) for index in range(len(self))]


class Rows:
    """Rows of the table of checked frames, which are met one after the other."""

    def __init__(self) -> None:
        names = ("frame", "run", "n_atoms", "formula", "energy", "part", "time_fs")
        self._columns: dict[str, list] = {name: [] for name in names}

    def add(self, atoms: Atoms) -> None:
        """Take in a frame in the form that is kept."""
        for name in ("frame", "run", "part", "time_fs"):
            self._columns[name].append(atoms.info.get(name))
        self._columns["n_atoms"].append(len(atoms))
        self._columns["formula"].append(intern(atoms.get_chemical_formula()))
        self._columns["energy"].append(atoms.get_potential_energy())

    def table(self) -> pd.DataFrame:
        """Return the rows, empty where a frame states no part or time."""
        return pd.DataFrame(self._columns)


def numbered(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows, or some of them, as `mekrr.data.frames.frame_table` has them."""
    table = rows.dropna(axis="columns").reset_index(drop=True)
    table.insert(0, "index", range(len(table)))
    return table


def _whole_number(value: object) -> int | None:
    """Return a value as an integer if it is one, not a truth value nor a fraction."""
    if isinstance(value, Integral) and not isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return int(value)
    return None
