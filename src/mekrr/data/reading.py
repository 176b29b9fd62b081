"""From files to frames as they are: formats, compression, standard input, part of the frames.

Nothing is dropped: what a reader leaves unread is refused or warned of.
"""

from __future__ import annotations

import difflib
import io
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from ase import Atoms

from mekrr.data.compression import moderate_pieces, opener_of, unpacked_limit
from mekrr.data.databases import LMDB, read_json, read_lmdb, read_sqlite
from mekrr.data.extxyz import is_extxyz, read_extxyz, text_of
from mekrr.data.lmdb_file import FOLDER, is_lmdb, parts_of
from mekrr.errors import DataError, DataWarning, first_line

# ase.io is imported where it is used: it brings parts of scipy along.

HEAD = 50_000  # bytes by which a format is recognised; as many as ASE looks at
INDEX = re.compile(r"-?\d+|-?\d*:-?\d*(:-?\d*)?")
STANDARD_INPUT = "-"
SUFFIXES = (".gz", ".bz2", ".xz")
PACKED = {  # what is not unpacked here, and how a user does it
    b"PK\x03\x04": ("a zip archive", "unzip"),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", "zstd -d"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "7z x"),
    b"\x04\x22\x4d\x18": ("compressed with lz4", "lz4 -d"),
    b"\x1f\x9d": ("compressed with compress", "uncompress"),
    b"Rar!": ("a rar archive", "unrar x"),
}
TAR = slice(257, 262), b"ustar"
OF_SERVERS = ("postgresql", "mysql")  # no files
XYZ = ("extxyz", "xyz")
HOW_TO_NAME = "name its `format` if that is another"


def split_index(source: str | os.PathLike) -> tuple[str, slice | int | None]:
    """Return the file and the frames that ``FILE@INDEX`` means, in ASE's syntax.

    A file of that whole name, with its @, goes first.
    """
    text = os.fspath(source)
    path, at, index = text.rpartition("@")
    if not at or not INDEX.fullmatch(index) or Path(text).exists():
        return text, None
    if ":" not in index:
        return path, int(index)
    return path, slice(*(int(part) if part else None for part in index.split(":")))


def iter_frames(source: str | os.PathLike, form: str | None = None) -> Iterator[tuple[str, Atoms]]:
    """Yield frames of a file, each with its place, "file: frame number", for messages.

    Parameters
    ----------
    source : file, also compressed; ``-`` for standard input; with ``@INDEX`` part of it; or a
        folder of LMDB files.
    form : ASE's name of its format; None: recognised by its content, else by its name.

    Raises
    ------
    DataError
        If the file is missing, of no known format, or cannot be read to its end.
    """
    path, index = split_index(source)
    if form is not None:
        _require_format(form)
    name = "standard input" if path == STANDARD_INPUT else path
    frames = enumerate(_all(path, name, form))
    chosen: Iterable[tuple[int, Atoms]]
    if index is None:
        chosen = frames
    elif isinstance(index, int):
        chosen = islice(frames, index, index + 1) if index >= 0 else list(frames)[index:][:1]
    elif all(part is None or part >= 0 for part in (index.start, index.stop, index.step)):
        if index.step == 0:
            raise DataError(f"{source}: the step of an index cannot be 0")
        chosen = islice(frames, index.start, index.stop, index.step)
    else:
        chosen = list(frames)[index]
    n_read = 0
    for number, atoms in chosen:
        n_read += 1
        yield f"{name}: frame {number}", atoms
    if n_read == 0:
        what = "no frame" if index is None else "no frame of that index"
        raise DataError(f"{source}: has {what}; check the file, or {HOW_TO_NAME}")


def _all(path: str, name: str, form: str | None) -> Iterator[Atoms]:
    """Yield all frames of a file, or of the LMDB files of a folder."""
    if not Path(path).is_dir():
        yield from _whole(path, name, form)
        return
    files = parts_of(path)
    if not files:
        raise DataError(f"{name}: is a folder without {FOLDER}; give a file")
    for file in files:
        yield from _whole(file, file, form)


def _whole(path: str, name: str, form: str | None) -> Iterator[Atoms]:
    """Yield all frames of a file, to its end."""
    n_read = 0
    try:
        with _opened(path, name) as stream:
            if form is None:
                form = _recognised(stream, name)
            for atoms in _read(stream, name, form):
                yield atoms
                n_read += 1
    except DataError as error:
        if str(error).startswith(f"{name}: "):
            raise
        raise DataError(f"{name}: frame {n_read}: {error}") from error
    except Exception as error:  # ASE's readers raise whatever their parsing met
        seen = "" if form is None else f" as {form}"
        raise DataError(
            f"{name}: frame {n_read}: cannot be read{seen} ({first_line(error)}); the file is "
            "truncated or damaged, or of a format that ASE does not know: restore or convert it, "
            f"or {HOW_TO_NAME}"
        ) from error
    if n_read == 0 and form not in XYZ:
        raise DataError(f"{name}: read as {form}, which finds no frame in it; {HOW_TO_NAME}")


@contextmanager
def _opened(path: str, name: str) -> Iterator[BinaryIO]:
    """Open a file's plain bytes, whether it is compressed, which its content tells, or not.

    Plain copies have no name, so that nothing of them is left whatever happens.
    """
    if path == STANDARD_INPUT:
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
            copy.seek(0)
            with _decompressed(copy, name) as stream:
                yield stream
        return
    if not Path(path).is_file():
        raise DataError(f"{name}: no such file; correct its path")
    with open(path, "rb") as file, _decompressed(file, name) as stream:
        yield stream


@contextmanager
def _decompressed(file: BinaryIO, name: str) -> Iterator[BinaryIO]:
    head = _head(file)
    _require_plain(head, name)
    opened = opener_of(head)
    if opened is None:
        yield file
        return
    with opened(file, "rb") as packed, tempfile.TemporaryFile() as plain:
        # ASE seeks back and forth, which in a compressed file means reading it anew.
        limit = unpacked_limit(os.fstat(file.fileno()).st_size)
        for chunk in moderate_pieces(packed, name, limit):
            plain.write(chunk)
        plain.seek(0)
        _require_plain(_head(plain), name)
        yield plain


def _head(stream: BinaryIO) -> bytes:
    """Return the first bytes of a stream, which stays at its beginning."""
    head = stream.read(HEAD)
    stream.seek(0)
    return head


def _require_plain(head: bytes, name: str) -> None:
    for magic, (what, command) in PACKED.items():
        if head.startswith(magic):
            raise DataError(f"{name}: is {what}; unpack it first ({command})")
    place, magic = TAR
    if head[place] == magic:
        raise DataError(f"{name}: is a tar archive; unpack it first (tar -xf)")


def _require_format(form: str) -> None:
    """Raise a DataError if ASE has no reader of this name, or it reads no file."""
    from ase.io.formats import ioformats

    if form == LMDB:
        return
    known = [LMDB, *(name for name in ioformats if name not in OF_SERVERS)]
    if form not in known:
        close = difflib.get_close_matches(form.lower(), known, n=1)
        suggestion = f", did you mean {close[0]!r}?" if close else ""
        raise DataError(f"format {form!r} is unknown{suggestion}; `ase info --formats` lists them")
    if not ioformats[form].can_read:
        raise DataError(f"format {form!r} can only be written; {HOW_TO_NAME}")


def _recognised(stream: BinaryIO, name: str) -> str:
    """Return ASE's name of the format: by the content where it tells, else by the file's name."""
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats, match_magic

    head = _head(stream)
    if not head.strip():
        raise DataError(f"{name}: is empty")
    if is_extxyz(head):
        return "extxyz"
    if head.startswith(b"SQLite format 3"):
        return "db"
    if is_lmdb(head):
        return LMDB
    try:
        return match_magic(head).name
    except UnknownFileTypeError:
        pass
    base = Path(name).name
    if Path(base).suffix.lower() in SUFFIXES:
        base = Path(base).stem
    # A file called postgres_run is no address of a server.
    named = filetype(f"./{base}", read=False)
    if named not in ioformats or named in OF_SERVERS:
        raise UnknownFileTypeError("its format is not recognised")
    return named


def _read(stream: BinaryIO, name: str, form: str) -> Iterator[Atoms]:
    """Yield frames of a format, by the reader that there is of it."""
    if form in XYZ:
        yield from read_extxyz(stream)
    elif form == LMDB:
        yield from read_lmdb(stream)
    elif form == "json":
        with text_of(stream, encoding="utf-8") as text:
            yield from read_json(text)
    elif form == "db":
        if not (Path(name).is_file() and _is(stream, name)):
            raise DataError("a data base is read by its name only; unpack it first")
        yield from read_sqlite(name)
    else:
        yield from _read_by_ase(stream, name, form)


def _read_by_ase(stream: BinaryIO, name: str, form: str) -> Iterator[Atoms]:
    """Yield frames by ASE's reader of a format; text that it leaves unread is told."""
    from ase.io import iread
    from ase.io.formats import ioformats

    kind = ioformats[form]
    if not kind.acceptsfd:
        place = (
            name
            if Path(name).is_file() and _is(stream, name)
            else f"/proc/self/fd/{stream.fileno()}"
        )
        yield from iread(place, index=":", format=form, do_not_split_by_at_sign=True)
    elif kind.isbinary:
        yield from iread(stream, index=":", format=form)
    else:
        with text_of(stream, encoding="utf-8-sig", errors="replace") as text:
            yield from iread(text, index=":", format=form)
            _require_read(text, kind)
    if form == "vasp-xml":
        stream.seek(0)
        _warn_if_cut(stream, name)


def _is(stream: BinaryIO, path: str) -> bool:
    """Tell whether a stream is that file itself, not a plain copy."""
    return os.path.samestat(os.fstat(stream.fileno()), os.stat(path))


def _require_read(text: io.TextIOWrapper[BinaryIO], kind: Any) -> None:
    """Refuse, or of a format of one frame warn of, lines that a reader left unread."""
    if text.closed or text.buffer.tell() == 0:  # closed at its end; or opened anew, by its name
        return
    rest = text.read()
    left = [line for line in rest.splitlines() if line.strip()]
    if not left:
        return
    what = (
        f"{len(left)} lines are left unread by the reader of {kind.name}: "
        f"{left[0].strip()[:60]!r} …"
    )
    if not kind.single:
        raise DataError(f"{what}; the file is damaged, or {HOW_TO_NAME}")
    warnings.warn(f"{what}; it reads one frame of a file", DataWarning, stacklevel=2)


def _warn_if_cut(stream: BinaryIO, name: str) -> None:
    """Warn of an XML file that is not whole: ASE drops its last calculation in silence."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(size - 200, 0))
    if b"</modeling>" not in stream.read():
        warnings.warn(
            f"{name}: ends before </modeling>: the run was cut off, and its last frame may be "
            "missing",
            DataWarning,
            stacklevel=2,
        )
