"""Compressed files: told by their first bytes, and not unpacked without bound."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator
from typing import IO, Any

from mekrr.errors import DataError

OPENERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
CHUNK = 1 << 16
ALWAYS_TAKEN = 64 << 20  # bytes that a file of any size may unpack to,
TIMES_ITS_SIZE = 250  # and what one may beyond. Texts of numbers shrink to a tenth at best.


def opener_of(head: bytes) -> Callable[..., Any] | None:
    """Return what opens a file that begins so for its plain bytes; None if it is not compressed."""
    return next((opened for magic, opened in OPENERS.items() if head.startswith(magic)), None)


def unpacked_limit(packed_size: int) -> int:
    """Return the most bytes that frames may unpack to: what has more was made to fill disks."""
    return ALWAYS_TAKEN + TIMES_ITS_SIZE * packed_size


def require_moderate(size: int, name: object, limit: int) -> None:
    """Raise a DataError, opened by ``name``, for what unpacks to more than its `unpacked_limit`."""
    if size > limit:
        raise DataError(
            f"{name}: unpacks to more than {limit} bytes, {TIMES_ITS_SIZE} times its size: no file "
            "of frames does; if it is what you want, unpack it by hand and give that file"
        )


def pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield a stream's bytes, some at a time."""
    while chunk := stream.read(CHUNK):
        yield chunk


def moderate_pieces(stream: IO[bytes], name: object, limit: int) -> Iterator[bytes]:
    """Yield the same up to a limit, see `require_moderate`."""
    size = 0
    for chunk in pieces(stream):
        size += len(chunk)
        require_moderate(size, name, limit)
        yield chunk
