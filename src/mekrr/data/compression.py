"""Compressed files, told by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable

OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}


def opener_of(head: bytes) -> Callable | None:
    """What opens a file that begins so for its plain bytes; None if it is not compressed."""
    return next((opened for magic, opened in OPENERS.items() if head.startswith(magic)), None)
