"""Checked frames of a data set, the table of them, and writing them in one form.

Energies are total energies in eV, positions in Å, forces in eV/Å.
"""

from __future__ import annotations

import math
import os
import warnings
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr.data.labels import (
    KeysSeen,
    check_energy,
    check_forces,
    energy_of,
    forces_of,
    relabel,
    stress_of,
)
from mekrr.data.reading import iter_frames
from mekrr.data.references import is_isolated
from mekrr.data.structure import check_structure
from mekrr.data.survey import MINIMUM_FRAMES, Rows, Survey, numbered
from mekrr.data.units import force_doubt, warn_of_units
from mekrr.data.written import WrittenFrames, parsed, written
from mekrr.errors import DataError, DataWarning, printable
from mekrr.files import atomic_path, sha256
from mekrr.progress import PATIENCE, progress_bar

# ase.constraints is imported where it is used: it brings parts of scipy along, which costs a job
# that reads no frames half a second.

LONGEST_GROUP = 80  # characters
Source = str | os.PathLike
Frame = TypeVar("Frame")


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
    survey, frames, parts = Survey(energy_key, forces_key), [], []
    for atoms, part in _checked(source, survey, format, energy_key, forces_key):
        frames.append(atoms)
        parts.append(part)
    name = _name_of(source)
    survey.require(name, least)
    rows = zip(frames, survey.numbers(), survey.runs(name), parts, strict=True)
    clean = [_normalised(*values) for values in rows]
    warn_of_units(clean, name)
    return clean


class Spool:
    """Frames of a source in the form that is kept, on disk: few are in memory at once.

    They are written as they are read, with their places for numbers and runs, which the whole of
    the source decides; `Spool.write` puts those in.

    Parameters
    ----------
    path : file to write, in a scratch folder.
    source, least, format, energy_key, forces_key : as of `read_frames`, and its errors.
    group_key : key of the group that each frame belongs to; None: there are no groups.

    Attributes
    ----------
    rows : what a table of frames needs of each, with its number, run and group.
    survey : of all frames.
    """

    def __init__(
        self,
        path: Source,
        source: Source | Mapping[str, Source],
        *,
        least: int,
        format: str | None = None,
        energy_key: str | None = None,
        forces_key: str | None = None,
        group_key: str | None = None,
    ):
        groups: list[str] = []
        self.survey, rows, begins = Survey(energy_key, forces_key), Rows(), array("q")
        with (
            open(path, "wb") as stream,
            progress_bar(None, "reading", "frames", delay=PATIENCE) as bar,
        ):
            for atoms, part in _checked(source, self.survey, format, energy_key, forces_key):
                clean = _normalised(atoms, len(begins), 0, part)
                begins.append(stream.tell())
                stream.write(written(clean))
                rows.add(clean)
                if group_key is not None:
                    where = f"{_name_of(source)}: frame {len(groups)}"
                    groups.append(_group(atoms, group_key, where))
                bar.update()
        name = _name_of(source)
        self.survey.require(name, least)
        self.rows = rows.table()
        if group_key is not None:
            self.rows["group"] = groups
        self.rows["frame"], self.rows["run"] = self.survey.numbers(), self.survey.runs(name)
        self._frames = WrittenFrames(path, begins)
        several = np.setdiff1d(self.rows.index, list(self.survey.isolated))
        runs = self.rows["run"].to_numpy()[several]
        if self.survey.forces.any() and (doubt := force_doubt(self.frames(several), runs)):
            warnings.warn(f"{name}: {doubt}", DataWarning, stacklevel=2)

    def frames(self, which: np.ndarray) -> WrittenFrames:
        """Return the frames at some places (n,) in the source, numbered by these."""
        return self._frames.chosen(which)

    def write(self, path: Source, rows: pd.DataFrame) -> np.ndarray:
        """Write the frames of some of the rows as `write_frames` does; return their offsets."""
        return _write(path, self._numbered(rows))

    def _numbered(self, rows: pd.DataFrame) -> Iterator[bytes]:
        places, numbers, runs = rows.index.tolist(), rows["frame"].tolist(), rows["run"].tolist()
        texts = self.frames(rows.index.to_numpy()).texts()
        with progress_bar(len(rows), "writing", "frames", delay=PATIENCE) as bar:
            for text, place, number, run in zip(texts, places, numbers, runs, strict=True):
                yield text.replace(_stated(place, 0), _stated(number, run), 1)
                bar.update()


def _group(atoms: Atoms, key: str, where: str) -> str:
    """Return the group of a frame in one line; a DataError, opened by ``where``, without one."""
    if key not in atoms.info and not is_isolated(atoms):
        raise DataError(f"{where}: has no key {key}; add it, or leave `group_key` out")
    return printable(str(atoms.info.get(key, "")))[:LONGEST_GROUP]


def _stated(number: int, run: int) -> bytes:
    """Return how the comment line of a frame that is written states its number and run."""
    return f" frame={number} run={run}".encode()


def _checked(
    source: Source | Sequence[Source] | Mapping[str, Source],
    survey: Survey,
    form: str | None,
    energy_key: str | None,
    forces_key: str | None,
) -> Iterator[tuple[Atoms, str | None]]:
    """Yield frames, checked and taken in by the survey, with the part that they belong to."""
    several = not isinstance(source, str | os.PathLike | Mapping)
    for number, (part, path) in enumerate(_files(source)):
        for where, atoms in _labelled(path, form, energy_key, forces_key):
            check_frame(atoms, where)
            survey.add(atoms, number if several else 0)
            yield atoms, part


def _files(
    source: Source | Sequence[Source] | Mapping[str, Source],
) -> list[tuple[str | None, Source]]:
    if isinstance(source, Mapping):
        return list(source.items())
    if isinstance(source, str | os.PathLike):
        return [(None, source)]
    return [(None, file) for file in source]


def _name_of(source: Source | Sequence[Source] | Mapping[str, Source]) -> str:
    return ", ".join(str(path) for _, path in _files(source))


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
    return list(
        stream_unlabelled(source, format=format, energy_key=energy_key, forces_key=forces_key)
    )


def stream_unlabelled(
    source: Source | Sequence[Source],
    *,
    format: str | None = None,
    energy_key: str | None = None,
    forces_key: str | None = None,
) -> Iterator[Atoms]:
    """Yield the frames of `read_unlabelled` as they are read; its errors come in the end too."""
    files = [source] if isinstance(source, str | os.PathLike) else source
    keys = KeysSeen(energy_key, forces_key)
    for file in files:
        for _, atoms in _labelled(file, format, energy_key, forces_key):
            keys.add(atoms)
            yield atoms
    keys.require(", ".join(map(str, files)))


def _labelled(
    file: Source, form: str | None, energy_key: str | None, forces_key: str | None
) -> Iterator[tuple[str, Atoms]]:
    """Yield frames of a file with their places, labels taken from the keys that are named."""
    for where, atoms in iter_frames(file, form):
        if energy_key is not None or forces_key is not None:
            relabel(atoms, energy_key, forces_key)
        yield where, atoms


def thin_out(frames: Sequence[Frame], every: int, name: str) -> Sequence[Frame]:
    """Return the first of every so many frames, or of what stands for each.

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
    first = frames[0]
    if all(atoms == first for atoms in frames):
        raise DataError(
            f"{name}: all {len(frames)} frames are the same: nothing can be learnt; give frames "
            "that differ"
        )


def verify_checksum(path: str | os.PathLike, expected: str) -> None:
    """Raise a DataError if a file is missing or not the one that is expected."""
    if Path(path).is_dir():
        raise DataError(f"{path}: is a folder, which has no checksum; leave out `sha256`")
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


def write_frames(path: str | os.PathLike, frames: Iterable[Atoms]) -> np.ndarray:
    """Write frames as extended XYZ, whole or not at all.

    Returns the byte (n_frames,) at which each frame begins, for `load_frames`.
    """
    return _write(path, map(written, frames))


def _write(path: str | os.PathLike, texts: Iterable[bytes]) -> np.ndarray:
    """Write frames that are `written`, whole or not at all; return their offsets."""
    offsets = array("q")
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        for text in texts:
            offsets.append(stream.tell())
            stream.write(text)
    return np.array(offsets)


def load_frames(path: str | os.PathLike, begin: int = 0, end: int | None = None) -> list[Atoms]:
    """Read frames that `write_frames` wrote, without checking them again.

    ``begin`` and ``end`` are the bytes at which to begin and to stop: of part of the frames.
    `WrittenFrames` has them one at a time.
    """
    with open(path, "rb") as stream:
        stream.seek(begin)
        return parsed(stream.read(-1 if end is None else end - begin))


def frame_table(frames: Iterable[Atoms]) -> pd.DataFrame:
    """Return the table of checked frames: index, frame, run, n_atoms, formula, energy (eV).

    And part, where the data set comes divided, and time_fs, where every frame states it.
    """
    rows = Rows()
    for atoms in frames:
        rows.add(atoms)
    return numbered(rows.table())


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
