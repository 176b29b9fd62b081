"""Reading extended XYZ strictly: every line of the file belongs to a frame, or is refused.

ASE's reader ends at the first empty line between frames, takes surplus columns for none, and
refuses a file for a stress that nobody asked for. Its parser of the comment line is used here.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from mekrr.errors import DataError

LONGEST_LINE = 1 << 20  # characters
MOST_ATOMS = 10**7
MOST_COLUMNS = 10**5
DAMAGED = "the file is truncated or damaged: restore it"
PLAIN = "species:S:1:pos:R:3"
BYTE_ORDER_MARK = "\xef\xbb\xbf"  # of UTF-8, read as latin-1
UTF16 = ("\xff\xfe", "\xfe\xff")
PROPERTY = re.compile(r"(?P<name>.+?):(?P<kind>[A-Za-z]):(?P<columns>\d+)(?::|$)")
QUOTED = re.compile(r"\\.|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|\{[^}]*\}|\[[^\]]*\]")
KEY = re.compile(r"(?:^|\s)([^\s=]+)\s*=")
TENSOR = re.compile(
    r"(?:^|(?<=\s))(stress|virial)\s*=\s*(\"[^\"]*\"|'[^']*'|\{[^}]*\}|\[[^\]]*\]|\S+)"
)
FORTRAN = re.compile(r"[-+]?\d*\.?\d+[dD][-+]?\d+")
TRUTH = {"T": True, "True": True, "TRUE": True, "F": False, "False": False, "FALSE": False}
ARRAY_NAMES = {"pos": "positions", "species": "symbols", "Z": "numbers", "charge": "charges"}


def is_extxyz(head: bytes) -> bool:
    """Tell whether a file that begins so is (extended) XYZ, whatever it is called.

    Its first line is a number of atoms; its second states keys of the format, or its third
    is an atom.
    """
    text = head.decode("latin-1").removeprefix(BYTE_ORDER_MARK)
    lines = text.lstrip("\r\n").splitlines()
    if len(lines) < 2 or not lines[0].strip().isdigit():
        return False
    words = lines[2].split() if len(lines) > 2 else []
    return bool(re.search(r"\b(Properties|Lattice)\s*=", lines[1])) or (
        len(words) >= 4 and words[0].isalpha() and all(map(_is_number, words[1:4]))
    )


def read_extxyz(stream: BinaryIO) -> Iterator[Atoms]:
    """Yield the frames of a stream, one after the other; empty lines between do not count.

    A BOM is skipped, and what is not UTF-8 taken for latin-1. Columns that are not of the kind
    that `Properties` states are kept as text.

    Raises
    ------
    DataError
        That names the line, if one is not what it should be.
    """
    with text_of(stream, encoding="latin-1") as text:
        yield from _frames(_Lines(text))


@contextmanager
def text_of(
    stream: BinaryIO, encoding: str, errors: str = "strict"
) -> Iterator[io.TextIOWrapper[BinaryIO]]:
    """Open a stream as text; the stream stays open, and who opened it closes it."""
    text = io.TextIOWrapper(stream, encoding, errors)
    try:
        yield text
    finally:
        if not text.closed:
            text.detach()


def _frames(lines: _Lines) -> Iterator[Atoms]:
    while (line := lines.next_filled()) is not None:
        n_atoms = _number_of_atoms(line, lines.number)
        comment = lines.next()
        if comment is None:
            raise DataError(
                f"line {lines.number}: the file ends after a number of atoms; {DAMAGED}"
            )
        first = lines.number
        rows = []
        for k in range(n_atoms):
            row = lines.next()
            if row is None:
                raise DataError(f"the file ends after {k} of {n_atoms} atoms; {DAMAGED}")
            rows.append(row.split())
        yield _frame(_text(comment).strip(), rows, first)


class _Lines:
    """Lines of bounded length, counted from 1, with any of the three line ends."""

    def __init__(self, text: io.TextIOWrapper):
        self._text = text
        self.number = 0

    def next(self) -> str | None:
        line = self._text.readline(LONGEST_LINE + 1)
        if not line:
            return None
        self.number += 1
        if len(line) > LONGEST_LINE:
            raise DataError(
                f"line {self.number} is longer than {LONGEST_LINE:,} characters; the file is "
                "damaged or no extended XYZ"
            )
        return line

    def next_filled(self) -> str | None:
        """Return the next line that is not empty."""
        while (line := self.next()) is not None:
            line = line.removeprefix(BYTE_ORDER_MARK)
            if line.startswith(UTF16):
                raise DataError("the file is UTF-16 text; save it as UTF-8")
            if line.strip():
                return line
        return None


def _number_of_atoms(line: str, number: int) -> int:
    text = line.strip()
    if not (text.isascii() and text.isdigit()):
        raise DataError(
            f"line {number}: {text[:40]!r} stands where the number of atoms of a frame should; the "
            "frame before has more lines than it states, or the file is damaged: correct or "
            "restore it"
        )
    if len(text) > 12 or int(text) > MOST_ATOMS:
        raise DataError(
            f"line {number}: {text[:20]} atoms; a frame may have {MOST_ATOMS:,}: {DAMAGED}"
        )
    return int(text)


def _frame(comment: str, rows: list[list[str]], line: int) -> Atoms:
    """Make a frame of its comment, which is the line of that number, and its atoms' words."""
    from ase.io.extxyz import set_calc_and_arrays

    info = _keys(comment, line)
    plain = "Properties" not in info
    columns = _columns(str(info.pop("Properties", PLAIN)))
    width = sum(n for _, _, n in columns)
    for k, row in enumerate(rows):
        if len(row) < width or (len(row) > width and not plain):
            raise DataError(
                f"line {line + 1 + k} has {len(row)} columns where {width} should be; {DAMAGED}, "
                "or correct Properties or the number of atoms"
            )
    arrays, begin = {}, 0
    for name, kind, n in columns:
        words = [row[begin : begin + n] for row in rows]
        begin += n
        if n > 0:
            arrays[ARRAY_NAMES.get(name, name)] = _array(words, kind, n)
    atoms = Atoms(
        positions=_positions(arrays.pop("positions", None), line),
        pbc=_periodicity(info),
        cell=_cell(info),
        **_species(arrays, line),
    )
    atoms.info = info
    _constrain(atoms, arrays)
    _keep_numbers_only(info)
    text = {name: arrays.pop(name) for name in list(arrays) if arrays[name].dtype.kind not in "ifb"}
    set_calc_and_arrays(atoms, arrays)
    for name, array in text.items():
        atoms.new_array(name, array)
    return atoms


def _keys(comment: str, line: int) -> dict:
    """Return keys and values of a comment line; stress and virial only if they are nine numbers."""
    from ase.io.extxyz import key_val_str_to_dict

    bare = QUOTED.sub("", comment)
    repeated = [key for key, count in Counter(KEY.findall(bare)).items() if count > 1]
    if repeated:
        raise DataError(f"line {line}: states {repeated[0]} more than once; leave one")
    for match in TENSOR.finditer(comment):
        words = re.findall(r"[^\s,]+", match[2].strip("\"'{}[]"))
        if len(words) != 9 or not all(map(_is_number, words)):
            comment = comment.replace(match[0], "", 1)
    try:
        return key_val_str_to_dict(comment) if comment else {}
    except (ValueError, RecursionError) as error:
        raise DataError(f"line {line}: cannot be read ({error}); {DAMAGED}") from error


def _columns(text: str) -> list[tuple[str, str, int]]:
    """Return name, kind and number of columns of each property; names may hold colons."""
    found = list(PROPERTY.finditer(text))
    whole = "".join(match[0] for match in found) == text
    if not whole or not text:
        raise DataError(f"cannot be read (Properties={text[:80]!r} is not name:kind:columns:…)")
    names = Counter(match["name"] for match in found)
    if max(names.values()) > 1:
        raise DataError(f"Properties states {names.most_common(1)[0][0]} more than once; leave one")
    if any(len(match["columns"]) > 12 or int(match["columns"]) >= MOST_COLUMNS for match in found):
        raise DataError(f"cannot be read (a property has {MOST_COLUMNS:,} columns or more)")
    return [(match["name"], match["kind"], int(match["columns"])) for match in found]


def _array(words: list[list[str]], kind: str, n: int) -> np.ndarray:
    """Return values of a property, (n_atoms,) or (n_atoms, n); text where not of its kind."""
    try:
        if kind == "R":
            values = np.array([[float(word) for word in row] for row in words])
        elif kind == "I":
            values = np.array([[int(word) for word in row] for row in words])
        elif kind == "L":
            values = np.array([[TRUTH[word] for word in row] for row in words])
        else:
            raise ValueError(kind)
    except (ValueError, KeyError, OverflowError):
        values = np.array([[_text(word) for word in row] for row in words])
    values = values.reshape(len(words), n)
    return values[:, 0] if n == 1 else values


def _positions(positions: np.ndarray | None, line: int) -> np.ndarray:
    if positions is None or positions.ndim != 2 or positions.shape[1] != 3:
        raise DataError("no positions; Properties needs pos:R:3")
    if positions.dtype.kind not in "if":
        atom, axis = next(
            (k, c)
            for k, row in enumerate(positions)
            for c, w in enumerate(row)
            if not _is_number(w)
        )
        word = str(positions[atom, axis])
        why = "Fortran's D exponent: write E" if FORTRAN.fullmatch(word) else DAMAGED
        raise DataError(f"line {line + 1 + atom}: position {word[:40]!r} is not a number; {why}")
    return positions


def _species(arrays: dict[str, np.ndarray], line: int) -> dict[str, object]:
    """Return the argument of `Atoms` that states the elements."""
    symbols, numbers = arrays.pop("symbols", None), arrays.pop("numbers", None)
    if numbers is not None:
        if numbers.ndim != 1 or numbers.dtype.kind != "i":
            raise DataError("atomic numbers are not integers; Properties needs Z:I:1")
        return {"numbers": numbers}
    if symbols is None or symbols.ndim != 1:
        raise DataError("no species; Properties needs species:S:1")
    elements = [str(symbol).capitalize() for symbol in symbols]
    for k, symbol in enumerate(elements):
        if symbol not in atomic_numbers:
            element = "H" if symbol in ("D", "T") else symbol.rstrip("0123456789_*'+-")
            remedy = f"write {element}" if element in atomic_numbers else DAMAGED
            raise DataError(f"line {line + 1 + k}: {symbol[:20]!r} is no chemical symbol; {remedy}")
    return {"symbols": elements}


def _cell(info: dict) -> np.ndarray | None:
    # The parser reads columns first; rows of ASE's cell are the vectors.
    lattice = info.pop("Lattice", None)
    return None if lattice is None else np.asarray(lattice, dtype=float).T


def _periodicity(info: dict) -> np.ndarray | bool:
    """Return periodic directions; all three where a cell but no `pbc` is stated."""
    stated = info.pop("pbc", None)
    if stated is None:
        return "Lattice" in info
    values = np.asarray(stated)
    if (
        values.size not in (1, 3)
        or values.dtype.kind not in "bi"
        or not np.isin(values, (0, 1)).all()
    ):
        raise DataError(f"pbc={stated!s:.40}; write three of T and F")
    return np.broadcast_to(values.astype(bool).ravel(), 3)


def _constrain(atoms: Atoms, arrays: dict[str, np.ndarray]) -> None:
    """Fix the atoms, or directions of them, that `move_mask` does not let move."""
    from ase.constraints import FixAtoms, FixCartesian

    mask = arrays.get("move_mask")
    if mask is None or mask.dtype.kind not in "bi":
        return
    fixed = ~arrays.pop("move_mask").astype(bool)
    if fixed.ndim == 1:
        atoms.set_constraint(FixAtoms(mask=fixed))
    elif fixed.shape[1] == 3:
        atoms.set_constraint([FixCartesian(k, mask=row) for k, row in enumerate(fixed)])


def _keep_numbers_only(info: dict) -> None:
    """Remove results other than the energy that are no numbers: ASE cannot keep them."""
    from ase.io.extxyz import per_config_properties

    for key in set(per_config_properties) & set(info) - {"energy"}:
        if np.asarray(info[key]).dtype.kind not in "if":
            del info[key]
        else:
            info[key] = np.asarray(info[key])


def _text(line: str) -> str:
    """Return a line read as latin-1 in its own encoding: UTF-8 if it can be, else latin-1."""
    try:
        return line.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return line


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
