"""Writing frames with predictions, in a format that the file's name tells.

The energy of a frame that is written is the predicted one, as are forces, stress and energies of
atoms where they were predicted; ``energy_std`` is the energy's standard deviation. What the frame
came with from elsewhere keeps its name with ``_ref`` added: ``energy_ref``, ``forces_ref``,
``stress_ref``, … (eV, eV/Å, eV/Å³). Of other keys those pass that the format gives back as they
are.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_properties
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr.errors import DataError, OutputError
from mekrr.files import atomic_path

# ase.io, ase.db and ase.constraints are imported where they are used, as in mekrr.data.frames.

FORMATS = {".extxyz": "extxyz", ".xyz": "extxyz", ".traj": "traj", ".db": "db", ".json": "json"}
COMPRESSIONS = (".gz", ".bz2", ".xz")  # of extended XYZ
OWN = {f"{name}{ending}" for name in all_properties for ending in ("", "_ref", "_std")}
WORDS = {"energy_std": "standard deviation"}
OF_ATOMS = {f"{name}_ref" for name in ("forces", "energies", "stresses", "charges", "magmoms")}
OF_EXTXYZ = {"Lattice", "Properties", "pbc", "pos", "species", "Z", "move_mask", "charge"}
STANDARD_ARRAYS = {  # what .traj and databases know
    "numbers",
    "positions",
    "momenta",
    "tags",
    "masses",
    "initial_magmoms",
    "initial_charges",
}


def format_of(path: str | os.PathLike) -> str:
    """Return ASE's name of the format that a file's suffix means: "extxyz", "traj", "db", "json".

    Without a suffix, as on standard output, extended XYZ. Raises an OutputError if it is
    unknown.
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    if not suffixes:
        return "extxyz"
    if suffixes[-1] in COMPRESSIONS and FORMATS.get("".join(suffixes[-2:-1])) == "extxyz":
        return "extxyz"
    if suffixes[-1] not in FORMATS:
        raise OutputError(
            f"{os.fspath(path)}: {suffixes[-1]} is no format to write; use {', '.join(FORMATS)}, "
            f".extxyz or .xyz with {', '.join(COMPRESSIONS)} added, or no suffix"
        )
    return FORMATS[suffixes[-1]]


def write_predictions(
    path: str | os.PathLike,
    frames: Sequence[Atoms],
    predictions: Sequence[Mapping[str, Any]],
    references: Sequence[float | None],
    source: str,
) -> None:
    """Write frames with what was predicted, whole or not at all.

    Parameters
    ----------
    path : see `format_of`.
    predictions : of each frame by ASE's names: the energy (eV) and, where there are such, its
        ``energy_std``, forces, stress and the energies of the atoms.
    references : energy in eV that each frame came with, None if it has none.
    source : name of what the frames were read from, for messages.

    Raises
    ------
    DataError
        If a number is not finite.
    """
    for index, prediction in enumerate(predictions):
        for name, value in prediction.items():
            if not np.isfinite(value).all():
                wrong = np.asarray(value)[~np.isfinite(value)][0]
                raise DataError(
                    f"{source}: frame {index}: predicted {WORDS.get(name, name)} is {wrong}; "
                    "nothing is written: leave the frame out, or fit the model again"
                )
    form = format_of(path)
    lost: dict[str, int] = {}
    copies = []
    for index, (atoms, prediction) in enumerate(zip(frames, predictions, strict=True)):
        labels = dict(getattr(atoms.calc, "results", {})) | {"energy": references[index]}
        copy, names = _unlabelled(atoms, form)
        for name in names:
            lost.setdefault(name, index)
        results = dict(prediction)
        own = {"energy_std": results.pop("energy_std", None)}
        own |= {f"{name}_ref": value for name, value in labels.items()}
        for name, value in own.items():
            _attach(copy, name, value, form)
        copy.calc = SinglePointCalculator(copy, **results)
        copies.append(copy)
    with atomic_path(path) as temporary:
        if form == "extxyz":
            _write_extxyz(temporary, copies)
        elif form == "traj":
            _write_traj(temporary, copies)
        else:
            _write_database(temporary, copies, form)
    if lost:
        named = ", ".join(f"{name} (from frame {index})" for name, index in lost.items())
        warnings.warn(f"{source}: not passed on to {os.fspath(path)}: {named}", stacklevel=2)


def _unlabelled(atoms: Atoms, form: str) -> tuple[Atoms, list[str]]:
    """Return a copy without calculator, and without what is of other models or cannot be written.

    And the names of what was left out.
    """
    copy, lost = atoms.copy(), []
    copy.info = {}
    for name, values in atoms.arrays.items():
        if name not in OWN and _is_column(name, values, form):
            continue
        del copy.arrays[name]
        if name in OWN or not _attach(copy, name, values, form):
            lost.append(name)
    for name, value in atoms.info.items():
        if name in OWN or not _attach(copy, name, value, form):
            lost.append(str(name))
    if form == "extxyz":
        from ase.constraints import FixAtoms, FixCartesian

        kept = [c for c in copy.constraints if isinstance(c, FixAtoms | FixCartesian)]
        lost += sorted({type(c).__name__ for c in copy.constraints if c not in kept})
        copy.set_constraint(kept)
    return copy, lost


def _attach(atoms: Atoms, name: object, value: object, form: str) -> bool:
    """Give a frame one more column of atoms or entry of info; False if it cannot be written."""
    if value is None and name in OWN:
        return True
    if (
        isinstance(name, str)
        and isinstance(value, np.ndarray)
        and value.shape[:1] == (len(atoms),)
        and name in OF_ATOMS
        and _is_column(name, value, form)
    ):
        atoms.arrays[name] = value
        return True
    plain = _plain(value)
    if not isinstance(name, str) or not name or not _is_json({name: plain}):
        return False
    if form == "extxyz":
        if name in OF_EXTXYZ:
            return False
        for text in (plain, f"_JSON {json.dumps(plain)}".replace("\\", "\\\\")):
            if _is_read_back(name, text, plain):
                atoms.info[name] = text
                return True
        return False
    numbers = isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "ifb"
    atoms.info[name] = value if numbers else plain
    return True


def _is_column(name: str, values: np.ndarray, form: str) -> bool:
    """Tell whether a format holds an array as one of atoms."""
    if name in ("numbers", "positions"):
        return True
    if form != "extxyz":
        return name in STANDARD_ARRAYS
    if (
        not isinstance(name, str)
        or name in OF_EXTXYZ
        or not name.isidentifier()
        or name in all_properties
    ):
        return False
    if values.ndim > 2 or values.size == 0:
        return False
    if values.dtype.kind == "U":
        return all(word.isprintable() and word.split() == [word] for word in values.flat)
    return values.dtype.kind in "ifb"


def _plain(value: object) -> object:
    """Return a value in Python's own types: of numpy, of tuples, of a space group its symbol."""
    from ase.spacegroup import Spacegroup

    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Spacegroup):
        return value.symbol
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def _is_json(plain: object) -> bool:
    """Tell whether JSON gives a value back, also by ASE, which takes some objects for its own."""
    from ase.io.jsonio import decode, encode

    try:
        standard = json.loads(json.dumps(plain))
        return repr(standard) == repr(_plain(decode(encode(plain)))) == repr(plain)
    except Exception:  # ASE's decoder raises whatever an object that looks like its own lacks
        return False


def _is_read_back(name: str, text: object, plain: object) -> bool:
    """Tell whether an entry of an extended XYZ comment line means the same to its reader."""
    from ase.io.extxyz import key_val_dict_to_str, key_val_str_to_dict

    try:
        line = key_val_dict_to_str({name: text, "next": 1})
        found = key_val_str_to_dict(line)
    except Exception:  # parsers raise whatever they meet: the value is written in another way
        return False
    return line.isprintable() and repr(_plain(found)) == repr({name: plain, "next": 1})


def _write_extxyz(path: Path, frames: Sequence[Atoms]) -> None:
    from ase.io import write

    with _text(path) as stream:
        write(stream, frames, format="extxyz")


@contextmanager
def _text(path: Path) -> Iterator[TextIO]:
    """Open a text stream into a file, compressed as its suffix says."""
    with ExitStack() as stack:
        stream: Any = stack.enter_context(open(path, "wb"))
        suffix = path.suffix.lower()
        if suffix == ".gz":  # without time and name: the same frames give the same bytes
            stream = stack.enter_context(gzip.GzipFile("", "wb", fileobj=stream, mtime=0))
        elif suffix == ".bz2":
            stream = stack.enter_context(bz2.BZ2File(stream, "wb"))
        elif suffix == ".xz":
            stream = stack.enter_context(lzma.LZMAFile(stream, "wb"))
        yield stack.enter_context(io.TextIOWrapper(stream, encoding="utf-8", newline="\n"))


def _write_traj(path: Path, frames: Sequence[Atoms]) -> None:
    from ase.io.trajectory import TrajectoryWriter

    with TrajectoryWriter(str(path)) as writer:
        for atoms in frames:
            writer.write(atoms)


def _write_database(path: Path, frames: Sequence[Atoms], form: str) -> None:
    """Write rows of which the numbers of this command can be searched for, the rest is data."""
    from ase.db import connect

    with connect(str(path), type=form, append=False, use_lock_file=False, serial=True) as rows:
        for atoms in frames:
            names = [name for name in ("energy_std", "energy_ref") if name in atoms.info]
            found = {name: atoms.info.pop(name) for name in names}
            if "energies" in atoms.calc.results:  # for which not all rows have a place
                atoms.info["energies"] = atoms.calc.results.pop("energies")
            rows.write(atoms, key_value_pairs=found, data=atoms.info)
