"""Where a run puts its log and its frames: into memory, or at the end of files."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixCartesian

from mekrr.data.written import written
from mekrr.dynamics.limits import closeness
from mekrr.errors import DataError, OutputError
from mekrr.files import named_in_errors


class Row(NamedTuple):
    """A row of the log.

    Attributes
    ----------
    time_fs : fs.
    total_energy, potential_energy : eV.
    temperature_K : K.
    closest : see `closeness`.
    energy_std : eV; NaN where the potential states none.
    """

    time_fs: float
    total_energy: float
    potential_energy: float
    temperature_K: float
    closest: float
    energy_std: float

    @classmethod
    def of(cls, time_fs: float, atoms: Atoms) -> Row:
        """Return where atoms are."""
        potential, temperature = atoms.get_potential_energy(), atoms.get_temperature()
        total = potential + atoms.get_kinetic_energy()
        std = atoms.calc.results.get("energy_std", np.nan)
        return cls(time_fs, total, potential, temperature, closeness(atoms), std)


class Sink(Protocol):
    """What takes the log and the frames of a run."""

    def begin(self) -> None:
        """Get ready for a run from its start; raise an OutputError if something is in the way."""

    def add_row(self, row: Row) -> None:
        """Take a row of the log."""

    def add_frame(self, time_fs: float, atoms: Atoms) -> None:
        """Take a frame, whose calculator has just computed its energy and forces."""

    def state(self) -> dict[str, np.ndarray]:
        """Return what a checkpoint holds of all that was taken, which is safe from then on."""

    def resume(self, state: Mapping[str, np.ndarray]) -> None:
        """Go back to a state, whatever was taken after it."""


class Record:
    """Log and frames in memory, of short runs: a checkpoint holds them all.

    Attributes
    ----------
    rows : of the log.
    times : fs, of the frames.
    frames : positions (n, 3) of each, Å.
    energies : eV.
    forces : (n, 3) of each, eV/Å.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.times: list[float] = []
        self.frames: list[np.ndarray] = []
        self.energies: list[float] = []
        self.forces: list[np.ndarray] = []

    def begin(self) -> None:
        """Do nothing: it is ready."""

    def add_row(self, row: Row) -> None:
        """Keep a row."""
        self.rows.append(row)

    def add_frame(self, time_fs: float, atoms: Atoms) -> None:
        """Keep a frame."""
        self.times.append(time_fs)
        self.frames.append(atoms.get_positions())
        self.energies.append(atoms.get_potential_energy())
        self.forces.append(atoms.get_forces(apply_constraint=False))

    def state(self) -> dict[str, np.ndarray]:
        """Return all of it."""
        return {
            "rows": np.array(self.rows),
            "times": np.array(self.times),
            "frames": np.array(self.frames),
            "energies": np.array(self.energies),
            "forces": np.array(self.forces),
        }

    def resume(self, state: Mapping[str, np.ndarray]) -> None:
        """Keep what was kept in a state."""
        self.rows = [Row(*row) for row in state["rows"].tolist()]
        for name in ("times", "frames", "energies", "forces"):
            setattr(self, name, list(state[name]))

    def log(self) -> pd.DataFrame:
        """Return the rows as a table."""
        return pd.DataFrame(self.rows)

    def labelled(self, system: Atoms) -> list[Atoms]:
        """Return the frames of a system with their time, energy and forces."""
        found = []
        values = zip(self.times, self.frames, self.energies, self.forces, strict=True)
        for time_fs, positions, energy, forces in values:
            frame = Atoms(system.symbols, positions, cell=system.cell, pbc=system.pbc)
            frame.info["time_fs"] = time_fs
            frame.calc = SinglePointCalculator(frame, energy=energy, forces=forces)
            found.append(frame)
        return found


class Files:
    """Log and frames at the end of files, of runs however long: memory holds the last few.

    What was taken is written when a state is asked for, which has no more than the bytes that are
    then valid.

    Parameters
    ----------
    log : CSV file of the fields of `Row`; no number where there is none.
    frames : extended XYZ, with momenta, energy, forces, and in ``info`` time_fs and, where the
        potential states it, energy_std.
    """

    def __init__(self, log: str | os.PathLike, frames: str | os.PathLike):
        self._files = {"log": _Growing(log), "frames": _Growing(frames)}

    def begin(self) -> None:
        """Refuse files that hold something."""
        for file in self._files.values():
            file.require_nothing()

    def add_row(self, row: Row) -> None:
        """Add a line to the log, after one of the fields' names if it is the first."""
        log = self._files["log"]
        if log.is_empty():
            log.add(f"{','.join(Row.__annotations__)}\n".encode())
        values = ("" if math.isnan(value) else repr(float(value)) for value in row)
        log.add(f"{','.join(values)}\n".encode())

    def add_frame(self, time_fs: float, atoms: Atoms) -> None:
        """Add a frame to the trajectory."""
        frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        if atoms.has("masses"):
            frame.set_masses(atoms.get_masses())
        frame.set_momenta(atoms.get_momenta())
        # What extended XYZ knows.
        known = [c for c in atoms.constraints if isinstance(c, FixAtoms | FixCartesian)]
        frame.set_constraint(known)
        frame.info["time_fs"] = time_fs
        if "energy_std" in atoms.calc.results:
            frame.info["energy_std"] = atoms.calc.results["energy_std"]
        energy = atoms.get_potential_energy(apply_constraint=False)  # without springs and the like
        forces = atoms.get_forces(apply_constraint=False)
        frame.calc = SinglePointCalculator(frame, energy=energy, forces=forces)
        self._files["frames"].add(written(frame))

    def state(self) -> dict[str, np.ndarray]:
        """Write what was taken; return how many bytes of each file are valid."""
        return {name: np.array(file.settle()) for name, file in self._files.items()}

    def resume(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on behind the bytes that were valid; a DataError if a file has fewer."""
        for name, file in self._files.items():
            file.cut(int(state[name]))


class _Growing:
    """A file that grows at its end, of which the first bytes are valid."""

    def __init__(self, path: str | os.PathLike):
        self._path = Path(path)
        self._size = 0
        self._pending: list[bytes] = []

    def require_nothing(self) -> None:
        """Raise an OutputError if the file holds something."""
        if self._path.exists() and self._path.stat().st_size:
            raise OutputError(
                f"{self._path}: is there, without a checkpoint to go on from; delete it or write "
                "to another place"
            )

    def is_empty(self) -> bool:
        """Tell whether nothing is valid and nothing pending."""
        return not self._size and not self._pending

    def add(self, text: bytes) -> None:
        """Take what comes next."""
        self._pending.append(text)

    def settle(self) -> int:
        """Write what is pending behind what is valid, and have it on disk; return its size.

        Whatever else is behind that is cut off: what was written after the last checkpoint.
        """
        text = b"".join(self._pending)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with (
            named_in_errors(self._path),
            open(self._path, "r+b" if self._path.exists() else "xb") as stream,
        ):
            stream.truncate(self._size)
            stream.seek(self._size)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        self._size += len(text)
        self._pending.clear()
        return self._size

    def cut(self, size: int) -> None:
        """Take the first bytes for valid, and nothing else; a DataError if there are fewer."""
        found = self._path.stat().st_size if self._path.exists() else 0
        if found < size:
            raise DataError(
                f"{self._path}: has {found} bytes, fewer than the {size} that its checkpoint "
                "tells of; restore it, or delete both to run anew"
            )
        self._size = size
        self._pending.clear()
