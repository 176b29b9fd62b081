"""Checked frames of a data set, the table of them, and writing them in one form.

Energies are total energies in eV, positions in Å, forces in eV/Å.
"""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr.data.labels import (
    check_energy,
    check_forces,
    energy_of,
    forces_of,
    missing_forces,
    relabel,
    require_keys,
    stress_of,
)
from mekrr.data.reading import iter_frames
from mekrr.data.references import is_isolated
from mekrr.data.structure import check_structure
from mekrr.data.units import warn_of_units
from mekrr.errors import DataError, DataWarning
from mekrr.files import atomic_path, sha256

# ase.io and ase.constraints are imported where they are used: they bring parts of scipy along,
# which costs a job that reads no frames half a second.

MINIMUM_FRAMES = 10  # to train, validate and test

Source = str | os.PathLike


def read_frames(
    source: Source | Sequence[Source] | Mapping[str, Source],
    *,
    least: int = 2,
    format: str | None = None,
    energy_key: str | None = None,
    forces_key: str | None = None,
) -> list[Atoms]:
    """Read and check a trajectory in any format that ASE knows.

    Parameters
    ----------
    source : a file, several, or the files of the parts "train", "val" and "test" of a data set
        that comes divided. ``FILE@:10`` is part of a file, in ASE's syntax.
    least : number of frames that are needed, beside isolated atoms.
    format : ASE's name of the files' format; None: recognised by the content.
    energy_key, forces_key : keys of total energy and forces in the file; None: ASE's own.

    Returns
    -------
    list of Atoms, each with a single-point energy (eV), forces (eV/Å) and stress (eV/Å³) where
    the file has them, ``info["frame"]`` (its number in the source: the file's own ``frame``
    where every frame has a distinct one, else the position), ``info["run"]`` (the trajectory it
    belongs to; of several files that do not say, the file; else 0) and, if it comes divided,
    ``info["part"]``.

    Raises
    ------
    DataError
        If a file is missing, cannot be read to its end, has nothing of a key that is named,
        there are fewer frames than ``least``, or a frame fails `check_frame`.
    """
    several = not isinstance(source, str | os.PathLike | Mapping)
    files: list[tuple[str | None, Source]]
    if isinstance(source, Mapping):
        files = list(source.items())
    elif isinstance(source, str | os.PathLike):
        files = [(None, source)]
    else:
        files = [(None, file) for file in source]
    frames: list[Atoms] = []
    parts: list[str | None] = []
    of_file: list[int] = []
    for number, (part, path) in enumerate(files):
        for where, atoms in _labelled(path, format, energy_key, forces_key):
            check_frame(atoms, where)
            frames.append(atoms)
            parts.append(part)
            of_file.append(number if several else 0)
    name = ", ".join(str(path) for _, path in files)
    require_keys(frames, name, energy_key, forces_key)
    alone = sum(map(is_isolated, frames))
    if len(frames) - alone < least:
        purpose = "train, validate and test" if least >= MINIMUM_FRAMES else "fit a model"
        beside = f" beside {alone} isolated atoms" if alone else ""
        raise DataError(
            f"{name}: {len(frames) - alone} frames{beside}; at least {least} are needed to "
            f"{purpose}"
        )
    if missing := missing_forces([atoms for atoms in frames if not is_isolated(atoms)]):
        warnings.warn(f"{name}: {missing}", DataWarning, stacklevel=2)
    runs = _runs(name, frames, of_file)
    rows = zip(frames, _numbers(frames), runs, parts, strict=True)
    clean = [_normalised(*values) for values in rows]
    warn_of_units(clean, name)
    return clean


def read_unlabelled(
    source: Source | Sequence[Source],
    *,
    format: str | None = None,
    energy_key: str | None = None,
    forces_key: str | None = None,
) -> list[Atoms]:
    """Read all frames of one file, or several, as they are, with energies or without.

    See `read_frames`. Raises a DataError if a file is missing, cannot be read to its end, or has
    nothing of a key that is named.
    """
    files = [source] if isinstance(source, str | os.PathLike) else source
    frames = [
        atoms for file in files for _, atoms in _labelled(file, format, energy_key, forces_key)
    ]
    require_keys(frames, ", ".join(map(str, files)), energy_key, forces_key)
    return frames


def _labelled(
    file: Source, form: str | None, energy_key: str | None, forces_key: str | None
) -> Iterator[tuple[str, Atoms]]:
    """Yield frames of a file with their places, labels taken from the keys that are named."""
    for where, atoms in iter_frames(file, form):
        if energy_key is not None or forces_key is not None:
            relabel(atoms, energy_key, forces_key)
        yield where, atoms


def thin_out(frames: list[Atoms], every: int, name: str) -> list[Atoms]:
    """Return the first of every so many frames, with their numbers in the source.

    Raises a DataError if too few are left.
    """
    kept = frames[::every]
    if len(kept) < MINIMUM_FRAMES:
        raise DataError(
            f"{name}: {len(kept)} of {len(frames)} frames are left; at least {MINIMUM_FRAMES} are "
            f"needed: lower `every`, which is {every}"
        )
    return kept


def require_different(frames: Sequence[Atoms], name: str) -> None:
    """Raise a DataError if all frames are the same, so that nothing can be learnt of them."""
    if all(atoms == frames[0] for atoms in frames[1:]):
        raise DataError(
            f"{name}: all {len(frames)} frames are the same: nothing can be learnt; give frames "
            "that differ"
        )


def verify_checksum(path: str | os.PathLike, expected: str) -> None:
    """Raise a DataError if a file is missing or not the one that is expected."""
    if not Path(path).is_file():
        raise DataError(f"{path}: no such file; correct its path")
    found = sha256(path)
    if found != expected:
        raise DataError(
            f"{path}: sha256 is {found}, expected {expected}; restore the file, or correct the "
            "checksum if the change is meant"
        )


def check_frame(atoms: Atoms, where: str) -> None:
    """Raise a DataError, opened by ``where``, if a frame cannot be fitted to."""
    # The structure first: ASE takes NaN for a change of geometry and withholds the energy.
    check_structure(atoms, where)
    check_energy(atoms, where)
    check_forces(atoms, where)


def write_frames(path: str | os.PathLike, frames: Sequence[Atoms]) -> np.ndarray:
    """Write frames as extended XYZ, whole or not at all.

    Returns the byte (n_frames,) at which each frame begins, for `load_frames`.
    """
    from ase.io import write

    offsets = np.empty(len(frames), dtype=np.int64)
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        for k, atoms in enumerate(frames):
            offsets[k] = stream.tell()
            text = io.StringIO()
            write(text, atoms, format="extxyz")
            stream.write(text.getvalue().encode())
    return offsets


def load_frames(path: str | os.PathLike, begin: int = 0, end: int | None = None) -> list[Atoms]:
    """Read frames that `write_frames` wrote, without checking them again.

    ``begin`` and ``end`` are the bytes at which to begin and to stop: of part of the frames.
    """
    from ase.io import iread

    with open(path, "rb") as stream:
        stream.seek(begin)
        text = stream.read(-1 if end is None else end - begin).decode()
    return list(iread(io.StringIO(text), index=":", format="extxyz"))


def frame_table(frames: list[Atoms]) -> pd.DataFrame:
    """Return the table of checked frames: index, frame, run, n_atoms, formula, energy (eV).

    And part, where the data set comes divided, and time_fs, where every frame states it.
    """
    table = pd.DataFrame(
        {
            "index": range(len(frames)),
            "frame": [atoms.info["frame"] for atoms in frames],
            "run": [atoms.info["run"] for atoms in frames],
            "n_atoms": [len(atoms) for atoms in frames],
            "formula": [atoms.get_chemical_formula() for atoms in frames],
            "energy": [atoms.get_potential_energy() for atoms in frames],
        }
    )
    if "part" in frames[0].info:
        table["part"] = [atoms.info["part"] for atoms in frames]
    if all("time_fs" in atoms.info for atoms in frames):
        table["time_fs"] = [atoms.info["time_fs"] for atoms in frames]
    return table


def _numbers(frames: list[Atoms]) -> list[int]:
    """Return numbers of frames in their source: the file's if whole and distinct, else places."""
    stated = [_whole_number(atoms.info.get("frame")) for atoms in frames]
    numbers = [number for number in stated if number is not None]
    return numbers if len(set(numbers)) == len(frames) else list(range(len(frames)))


def _runs(name: str, frames: list[Atoms], of_file: list[int]) -> list[int]:
    """Return runs of frames: numbers as stated, labels numbered as they appear, else files.

    Isolated atoms belong to no run, so that they need not state one.
    """
    states = [k for k, atoms in enumerate(frames) if "run" in atoms.info and not is_isolated(atoms)]
    if not states:
        return of_file
    n_frames = sum(not is_isolated(atoms) for atoms in frames)
    if len(states) < n_frames:
        raise DataError(
            f"{name}: only {len(states)} of {n_frames} frames state their run; add it to all"
        )
    stated = [frames[index].info["run"] for index in states]
    for index, run in zip(states, stated, strict=True):
        number = isinstance(run, Real) and not isinstance(run, bool | np.bool_)
        if not (isinstance(run, str) or (number and np.isfinite(run))):
            raise DataError(
                f"{name}: frame {index}: run={' '.join(str(run).split())[:40]} is neither a number "
                "nor a label; correct it, or remove `run` from all frames"
            )
    whole = [_whole_number(run) for run in stated]
    numbers = [number for number in whole if number is not None]
    if len(numbers) < len(stated):
        labels = {label: k for k, label in enumerate(dict.fromkeys(map(str, stated)))}
        numbers = [labels[str(run)] for run in stated]
    of_frame = dict(zip(states, numbers, strict=True))
    return [of_frame.get(index, 0) for index in range(len(frames))]


def _whole_number(value: object) -> int | None:
    """Return a value as an integer if it is one, not a truth value nor a fraction."""
    if isinstance(value, Integral) and not isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return int(value)
    return None


def _normalised(atoms: Atoms, number: int, run: int, part: str | None) -> Atoms:
    """Copy a frame with just what is used, so that every checked file has one form."""
    from ase.constraints import FixAtoms

    info: dict[str, object] = {"frame": number, "run": run} | ({"part": part} if part else {})
    time = atoms.info.get("time_fs")
    if isinstance(time, Real) and not isinstance(time, bool | np.bool_) and math.isfinite(time):
        info["time_fs"] = float(time)
    if is_isolated(atoms):
        info["config_type"] = "IsolatedAtom"
    clean = Atoms(
        atoms.get_chemical_symbols(),
        positions=atoms.positions,
        cell=atoms.cell,
        pbc=atoms.pbc,
        info=info,
    )
    results: dict[str, object] = {"energy": energy_of(atoms)}
    if (forces := forces_of(atoms)) is not None:
        results["forces"] = forces
    if (stress := stress_of(atoms)) is not None:
        results["stress"] = stress
    clean.calc = SinglePointCalculator(clean, **results)
    clean.set_constraint([c for c in atoms.constraints if isinstance(c, FixAtoms)])
    return clean
