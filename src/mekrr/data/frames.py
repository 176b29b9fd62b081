"""Reading trajectories, checking every frame, and the table of frames.

Energies are total energies in eV, positions in Å, forces in eV/Å.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr.data.references import is_isolated
from mekrr.errors import DataError, first_line
from mekrr.files import atomic_path, sha256

# ase.io and ase.constraints are imported where they are used: they bring parts of scipy along,
# which costs a job that reads no frames half a second.

MINIMUM_FRAMES = 10
SAME_PLACE = 0.5  # Å; no two nuclei of a physical frame are closer
ZERO_VOLUME = 1e-6  # Å³
LARGEST = 1e4  # Å
TOO_WIDE = re.compile(rb":\d{6,}")
COMPRESSED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def read_frames(source: str | os.PathLike | Mapping[str, str | os.PathLike]) -> list[Atoms]:
    """Read and check a trajectory in any format that ASE knows.

    Parameters
    ----------
    source : a file, or the files of the parts "train", "val" and "test" of a data set that
        comes divided.

    Returns
    -------
    list of Atoms, each with a single-point energy (eV), forces (eV/Å) where the file has
    them, ``info["frame"]`` (its number in the source: the file's own ``frame`` where every
    frame has a distinct one, else the position), ``info["run"]`` (the trajectory it belongs
    to, 0 where the file does not say) and, if it comes divided, ``info["part"]``.

    Raises
    ------
    DataError
        If a file is missing, cannot be read to its end, the data set has fewer than 10
        frames, or a frame fails `check_frame`.
    """
    files = source if isinstance(source, Mapping) else {None: source}
    frames: list[Atoms] = []
    parts: list[str | None] = []
    for part, path in files.items():
        found = _read_file(Path(path))
        frames += found
        parts += [part] * len(found)
    name = ", ".join(map(str, files.values()))
    if len(frames) < MINIMUM_FRAMES:
        raise DataError(
            f"{name}: {len(frames)} frames; at least {MINIMUM_FRAMES} are needed to train, "
            "validate and test"
        )
    numbers, runs = _labels(name, frames)
    return [_normalised(*values) for values in zip(frames, numbers, runs, parts, strict=True)]


def thin_out(frames: list[Atoms], every: int, name: str) -> list[Atoms]:
    """The first of every so many frames of a data set, with their numbers in the source.

    Raises a DataError if too few are left.
    """
    kept = frames[::every]
    if len(kept) < MINIMUM_FRAMES:
        raise DataError(
            f"{name}: {len(kept)} of {len(frames)} frames are left; at least {MINIMUM_FRAMES} are "
            f"needed: lower study.every, which is {every}"
        )
    return kept


def verify_checksum(path: str | os.PathLike, expected: str) -> None:
    """Raise a DataError if a file is missing or not the one that the registry means."""
    _require_file(Path(path))
    found = sha256(path)
    if found != expected:
        raise DataError(
            f"{path}: sha256 is {found}, the registry says {expected}; restore the file, "
            "or correct the registry if the change is meant"
        )


def check_frame(atoms: Atoms, where: str) -> None:
    """Raise a DataError, opened by ``where``, if a frame cannot be used."""
    if len(atoms) == 0:
        raise DataError(f"{where}: has no atoms; remove the frame")
    # Before the energy: ASE takes NaN for a change of geometry and withholds the energy.
    if not np.isfinite(atoms.positions).all():
        atom = int(np.argwhere(~np.isfinite(atoms.positions))[0, 0])
        raise DataError(f"{where}: position of atom {atom} is not finite; remove the frame")
    if not np.isfinite(atoms.cell.array).all():
        raise DataError(f"{where}: cell is not finite; remove the frame or correct its cell")
    # Of other sizes the neighbour search crashes or does not end.
    extent = max(np.abs(atoms.positions).max(), np.abs(atoms.cell.array).max())
    if extent > LARGEST:
        raise DataError(
            f"{where}: a coordinate or the cell is {extent:.3g} Å; none may be beyond "
            f"{LARGEST:g} Å: remove the frame or correct its unit"
        )
    energy = energy_of(atoms)
    if energy is None:
        raise DataError(
            f"{where}: has no energy; give every frame its total energy in eV (extxyz: energy=...)"
        )
    if not np.isfinite(energy):
        raise DataError(f"{where}: energy is {energy}; remove or recompute the frame")
    lengths = atoms.cell.lengths()
    if atoms.pbc.any() and (
        not lengths[atoms.pbc].all()
        or abs(np.linalg.det(atoms.cell.complete().array)) < ZERO_VOLUME
    ):
        raise DataError(
            f"{where}: periodic, but its cell has no volume; set a cell or pbc to F F F"
        )
    if (lengths[atoms.pbc] < SAME_PLACE).any():
        raise DataError(
            f"{where}: cell of {lengths[atoms.pbc].min():.3g} Å, in which each atom meets its own "
            "image; correct the cell or its unit"
        )
    close = _closest_pair(atoms)
    if close is not None:
        i, j, distance = close
        raise DataError(
            f"{where}: atoms {i} and {j} are at the same place or nearly so "
            f"({distance:.3f} Å apart); remove the frame or the doubled atom"
        )


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
    """Table of checked frames: index, frame, run, n_atoms, formula, energy (eV).

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


@contextmanager
def _decompressed(path: Path) -> Iterator[Path]:
    """The path of a plain copy of a compressed file, for as long as the context lasts.

    ASE seeks back and forth, which in a compressed file means reading it anew each time.
    """
    if path.suffix not in COMPRESSED:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        with COMPRESSED[path.suffix](path, "rb") as source, open(plain, "wb") as target:
            shutil.copyfileobj(source, target)
        yield plain


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such file; correct the data set's path in the config")


def _read_file(path: Path) -> list[Atoms]:
    """All frames of one file, each checked."""
    frames = read_unlabelled(path)
    for index, atoms in enumerate(frames):
        check_frame(atoms, f"{path}: frame {index}")
    return frames


def read_unlabelled(path: str | os.PathLike) -> list[Atoms]:
    """All frames of one file as they are, with energies or without.

    Raises a DataError if the file is missing or cannot be read to its end.
    """
    from ase.io import iread

    _require_file(Path(path))
    frames: list[Atoms] = []
    try:
        with _decompressed(Path(path)) as plain:
            _require_narrow(plain)
            frames.extend(iread(str(plain), index=":", do_not_split_by_at_sign=True))
    except Exception as error:  # ASE's readers raise whatever their parsing met
        raise DataError(
            f"{path}: frame {len(frames)}: cannot be read ({first_line(error)}); the file is "
            "truncated or damaged, or of a format that ASE does not know: restore or convert it"
        ) from error
    return frames


def _require_narrow(path: Path) -> None:
    """Raise a ValueError if an extended XYZ file states absurd numbers of columns.

    ASE would make room for as many, until the memory is full.
    """
    with open(path, "rb") as stream:
        for line in stream:
            if b"Properties" in line and TOO_WIDE.search(line):
                raise ValueError("a property has 100,000 columns or more")


def energy_of(atoms: Atoms) -> float | None:
    """Energy (eV) that a frame comes with, None if it has none that is a number."""
    try:
        return float(atoms.get_potential_energy())
    except (RuntimeError, PropertyNotImplementedError, TypeError, ValueError):
        return None


def _forces(atoms: Atoms) -> np.ndarray | None:
    try:
        return np.asarray(atoms.get_forces(apply_constraint=False))
    except (RuntimeError, PropertyNotImplementedError):
        return None


def _closest_pair(atoms: Atoms) -> tuple[int, int, float] | None:
    """The closest pair of atoms if closer than SAME_PLACE, periodic images included."""
    # Imported here: it brings torch along, which costs a job that only reads frames a second.
    from vesin import NeighborList

    # A generous search radius: the cost of a cell list grows as the radius shrinks.
    search = NeighborList(cutoff=2.0, full_list=False, n_threads=1)
    i, j, d = search.compute(atoms.positions, atoms.cell.complete().array, atoms.pbc, "ijd")
    if len(d) and d.min() < SAME_PLACE:
        k = int(d.argmin())
        return int(i[k]), int(j[k]), float(d[k])
    return None


def _labels(name: str, frames: list[Atoms]) -> tuple[list[int], list[int]]:
    """Source frame numbers and runs, from the file where it states them for all frames."""
    try:
        numbers = [int(atoms.info["frame"]) for atoms in frames]
    except (KeyError, TypeError, ValueError):
        numbers = []
    if len(set(numbers)) != len(frames):
        numbers = list(range(len(frames)))
    with_run = sum("run" in atoms.info for atoms in frames)
    if with_run not in (0, len(frames)):
        raise DataError(
            f"{name}: only {with_run} of {len(frames)} frames state their run; add it to all"
        )
    try:
        runs = [int(atoms.info.get("run", 0)) for atoms in frames]
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name}: run is not an integer ({error}); number the runs 0, 1, …"
        ) from error
    return numbers, runs


def _normalised(atoms: Atoms, number: int, run: int, part: str | None) -> Atoms:
    """Copy with just what the study uses, so that every checked file has one form."""
    from ase.constraints import FixAtoms

    info = {"frame": number, "run": run} | ({"part": part} if part else {})
    if isinstance(time := atoms.info.get("time_fs"), int | float | np.number):
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
    results = {"energy": energy_of(atoms)}
    if (forces := _forces(atoms)) is not None:
        results["forces"] = forces
    clean.calc = SinglePointCalculator(clean, **results)
    clean.set_constraint([c for c in atoms.constraints if isinstance(c, FixAtoms)])
    return clean
