"""Compressed files: told by their first bytes, and not unpacked without bound."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator
from typing import IO

OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
CHUNK = 1 << 16
ALWAYS_TAKEN = 64 << 20  # bytes that a file of any size may unpack to,
TIMES_ITS_SIZE = 250  # and what one may beyond. Texts of numbers shrink to a tenth at best.


def opener_of(head: bytes) -> Callable | None:
    """What opens a file that begins so for its plain bytes; None if it is not compressed."""
    return next((opened for magic, opened in OPENERS.items() if head.startswith(magic)), None)


def unpacked_limit(packed_size: int) -> int:
    """Most bytes that frames may unpack to: what has more was made to fill disks."""
    return ALWAYS_TAKEN + TIMES_ITS_SIZE * packed_size


def pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """A stream's bytes, some at a time."""
    while chunk := stream.read(CHUNK):
        yield chunk
