"""One file out of an archive: with exactly the content that was packed, or not at all.

What is compressed is read to its end before anything is taken from it, so that its checksums
are tested: those of gzip, bzip2 and xz stand at the end. A plain tar has none.
"""

from __future__ import annotations

import lzma
import os
import posixpath
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import IO

from mekrr.data.compression import (
    moderate_pieces,
    opener_of,
    pieces,
    require_moderate,
    unpacked_limit,
)
from mekrr.errors import DataError, first_line, printable
from mekrr.files import atomic_path

ZIP = b"PK"
FAULTS = (  # what the libraries raise for archives that are damaged, or made to break readers
    EOFError,
    MemoryError,
    OSError,
    OverflowError,
    RecursionError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


def extract_member(archive: str | os.PathLike, member: str, target: str | os.PathLike) -> None:
    """Write one regular file of a tar or zip archive to ``target``, whole or not at all.

    ``member`` is its path in the archive, or its name alone where only one file has it.
    Only the bytes of that member are used: no path, link or mode of the archive is.

    Raises
    ------
    DataError
        If the archive is damaged, encrypted, packed by a method unknown here or unpacks to
        far more than its size, or if ``member`` is not one regular file in it.
    """
    with atomic_path(target) as temporary, open(temporary, "wb") as stream:
        for chunk in _with_errors_named(archive, _content(archive, member)):
            stream.write(chunk)


def _with_errors_named(archive: str | os.PathLike, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same, with a DataError for what is wrong with the archive, but not with the target."""
    while True:
        try:
            chunk = next(chunks, None)
        except NotImplementedError as error:
            raise DataError(
                f"{archive}: cannot be unpacked here ({first_line(error)}); unpack it by hand and "
                "give the file as `path`"
            ) from error
        except FAULTS as error:
            raise DataError(
                f"{archive}: damaged archive ({first_line(error)}); delete it and run again"
            ) from error
        if chunk is None:
            return
        yield chunk


def _content(archive: str | os.PathLike, member: str) -> Iterator[bytes]:
    """The member's bytes, in pieces."""
    limit = unpacked_limit(os.path.getsize(archive))
    with open(archive, "rb") as stream:
        beginning = stream.read(6)
    if beginning.startswith(ZIP):
        yield from _zip_content(archive, member, limit)
        return
    with (opener_of(beginning) or open)(archive, "rb") as stream:
        for _ in moderate_pieces(stream, archive, limit):  # to the end
            pass
        stream.seek(0)
        yield from _tar_content(stream, archive, member, limit)


def _tar_content(
    stream: IO[bytes], archive: str | os.PathLike, member: str, limit: int
) -> Iterator[bytes]:
    with tarfile.open(fileobj=stream, mode="r:") as file:
        entries = file.getmembers()
        entry = entries[_find(archive, member, [entry.name for entry in entries])]
        _require_regular(entry.isreg(), archive, member)
        require_moderate(entry.size, archive, limit)  # a sparse file is larger than its archive
        with file.extractfile(entry) as source:
            yield from pieces(source)


def _zip_content(archive: str | os.PathLike, member: str, limit: int) -> Iterator[bytes]:
    with zipfile.ZipFile(archive) as file:
        entries = file.infolist()
        entry = entries[_find(archive, member, [entry.filename for entry in entries])]
        is_link = stat.S_ISLNK(entry.external_attr >> 16)
        _require_regular(not entry.is_dir() and not is_link, archive, member)
        require_moderate(entry.file_size, archive, limit)
        if entry.flag_bits & 1:
            raise DataError(
                f"{archive}: member {member!r} is encrypted; unpack it by hand and give it as "
                "`path`"
            )
        with file.open(entry) as source:
            yield from pieces(source)


def _require_regular(regular: bool, archive: str | os.PathLike, member: str) -> None:
    if not regular:
        raise DataError(f"{archive}: member {member!r} is not a regular file; correct `member`")


def _find(archive: str | os.PathLike, member: str, names: Sequence[str]) -> int:
    """Which of ``names`` is meant by ``member``."""
    wanted = posixpath.normpath(member)
    found = [k for k, name in enumerate(names) if posixpath.normpath(name) == wanted]
    if not found:
        found = [k for k, name in enumerate(names) if posixpath.basename(name) == member]
    if len(found) == 1:
        return found[0]
    shown = printable(", ".join(names[:10])[:400]) + (", …" if len(names) > 10 else "")
    raise DataError(
        f"{archive}: has {len(found) or 'no'} members {member!r}; correct `member` in the registry "
        f"of data sets, or unpack it by hand and give the file as `path`: {shown}"
    )
