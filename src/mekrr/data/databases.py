"""Frames of ASE's data bases: SQLite, JSON, and LMDB as fairchem writes it (`.aselmdb`)."""

from __future__ import annotations

import sqlite3
import zlib
from array import array
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
from ase import Atoms

from mekrr.data.compression import require_moderate, unpacked_limit
from mekrr.data.lmdb_file import DAMAGED, LMDBFile
from mekrr.errors import DataError

# ase.db is imported where it is used: it takes a while.

LMDB = "aselmdb"  # a format that ASE itself does not know
ROWS = 500  # in memory at once
PICKLES = b"\x80"  # first byte of each since Python 2.3
MOST_DIGITS = 18  # of the number of a row
ADDED = ("nextid", "deleted_ids", "metadata")  # keys that are no rows
CONVERT = "convert it to .aselmdb (ase-db-backends) or extended XYZ by a program of its own"


def read_sqlite(path: str) -> Iterator[Atoms]:
    """Yield the frames of a file, without writing to it as ASE may to one that is none of its."""
    from ase.db import connect

    with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)) as file:
        table = "SELECT 1 FROM sqlite_master WHERE type='table' AND name='systems'"
        if not file.execute(table).fetchone():
            raise DataError(
                f"is a data base, but not of ASE: it has no table of systems; {CONVERT}"
            )
    database = connect(path, type="db", use_lock_file=False)
    last = 0
    while rows := list(database.select(f"id>{last}", sort="id", limit=ROWS)):
        yield from map(_atoms, rows)
        if not (isinstance(rows[-1].id, int) and rows[-1].id > last):
            raise DataError(f"the numbers of its rows do not rise; {DAMAGED}")
        last = rows[-1].id


def read_json(stream: TextIO) -> Iterator[Atoms]:
    """Yield the frames of a stream, which is all in memory meanwhile."""
    from ase.db import connect

    yield from map(_atoms, connect(stream, type="json", use_lock_file=False).select())


def read_lmdb(stream: BinaryIO) -> Iterator[Atoms]:
    """Yield the frames of a file in the order of their numbers. Nothing is unpickled."""
    from ase.calculators.calculator import all_properties
    from ase.db.row import AtomsRow

    file = LMDBFile(stream)
    rows = array("q")  # number, and where the value begins and how long it is
    for key, begin, size in file.entries():
        name = key.decode("ascii", "replace")
        if file.value(begin, min(size, 1)) == PICKLES:
            raise DataError(
                f"is an LMDB file of pickled objects, as OC20 was given out at first; {CONVERT}"
            )
        if name.isdigit() and len(name) < MOST_DIGITS:
            rows.extend((int(name), begin, size))
        elif name not in ADDED:
            raise DataError(
                f"is an LMDB file, but not of ASE: it has a key {name[:40]!r}; {CONVERT}"
            )
    table = np.array(rows).reshape(-1, 3)
    for number, begin, size in table[np.argsort(table[:, 0])].tolist():
        row = _unpacked(file.value(begin, size), f"row {number}")
        if not isinstance(row, dict) or "numbers" not in row:
            raise DataError(f"row {number} is no frame of ASE's; {CONVERT}")
        lists = {key: value for key, value in row.items() if isinstance(value, list)}
        arrays = {key: np.array(lists[key]) for key in all_properties if key in lists}
        yield _atoms(AtomsRow({**row, **arrays, "id": number}))


def _unpacked(value: bytes, name: str) -> Any:
    """Return what a compressed text of ASE's JSON says; a DataError if it is none or too much."""
    from ase.io.jsonio import decode

    limit = unpacked_limit(len(value))
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(value, limit + 1)
    except zlib.error as error:
        raise DataError(f"{name} is not compressed as it should be ({error}); {DAMAGED}") from error
    require_moderate(len(text), name, limit)
    if not stream.eof:
        raise DataError(f"{name} is cut off; {DAMAGED}")
    return decode(text.decode())


def _atoms(row: Any) -> Atoms:
    """Return the frame of a row, with its key-value pairs and data among its keys and arrays."""
    atoms = row.toatoms()
    for key, value in {**row.key_value_pairs, **row.data}.items():
        of_atoms = _numbers_of(value)
        if of_atoms is None or of_atoms.shape[:1] != (len(atoms),):
            atoms.info[str(key)] = value
        elif str(key) not in atoms.arrays:
            atoms.new_array(str(key), of_atoms)
    return atoms


def _numbers_of(value: object) -> np.ndarray | None:
    """Return a list or array of numbers as an array; None of what is none."""
    if not isinstance(value, list | np.ndarray):
        return None
    try:
        numbers = np.array(value)
    except ValueError:  # rows of several lengths
        return None
    return numbers if numbers.dtype.kind in "bif" else None
