"""Keys and values of an LMDB file (Lightning Memory-Mapped Database), read without its library.

That maps the file into memory and takes it for whole: of one that is cut off or damaged the process
dies. Here every page is looked up within the file, and what does not hold is refused. The layout is
that of `lmdb.h` and `mdb.c` of LMDB 0.9, on 64-bit machines of little endian.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mekrr.errors import DataError

FOLDER = "*.aselmdb"  # what of a folder is read
MAGIC, VERSION = 0xBEEFC0DE, 1
PAGE = struct.Struct("<QHHHH")  # number, pad, flags, lower and upper bound of its free space
TREE = struct.Struct("<IHH5Q")  # pad, flags, depth; pages of three kinds, entries, root
META = struct.Struct(f"<IIQQ{TREE.size}s{TREE.size}sQQ")
NODE = struct.Struct("<HHHH")  # size or page in three parts (the last: flags, in a leaf), key size
BRANCH, LEAF = 0x01, 0x02
BIG = 0x01  # a value on pages of its own
EMPTY = 2**64 - 1
PAGE_SIZES = range(512, (1 << 16) + 1)
DAMAGED = "the LMDB file is truncated or damaged: restore it"


def is_lmdb(head: bytes) -> bool:
    """Tell whether a file that begins so is of LMDB."""
    end = PAGE.size + 4
    return len(head) >= end and int.from_bytes(head[PAGE.size : end], "little") == MAGIC


def parts_of(path: str) -> list[str]:
    """Return the LMDB files of a folder and of those in it, in the order of their names.

    Of a file it is the file.
    """
    if not Path(path).is_dir():
        return [path]
    return [str(file) for file in sorted(Path(path).rglob(FOLDER))]


class LMDBFile:
    """One that was opened by the caller.

    Raises a DataError, from here on, for what is not as it should be.
    """

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._size = os.fstat(stream.fileno()).st_size
        self._page_size = 1 << 12
        _, version, _, _, free, _, _, _ = self._meta(0)
        if version != VERSION:
            raise DataError(
                f"is of version {version} of LMDB's format, and only {VERSION} is known; rewrite "
                "it with LMDB 0.9, or convert it to extended XYZ"
            )
        self._page_size = TREE.unpack(free)[0]
        if self._page_size not in PAGE_SIZES:
            raise DataError(DAMAGED)
        last = max((self._meta(0), self._meta(1)), key=lambda meta: meta[7])
        self._root = TREE.unpack(last[5])[7]

    def entries(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield all keys, in their order, with first byte and size of their values."""
        waiting = [] if self._root == EMPTY else [self._root]
        left = self._size // self._page_size  # pages that a tree can have
        while waiting:
            left -= 1
            if left < 0:
                raise DataError(DAMAGED)
            number = waiting.pop()
            begin = number * self._page_size
            page = self.value(begin, self._page_size)
            _, _, flags, lower, _ = PAGE.unpack_from(page)
            if not PAGE.size <= lower <= self._page_size:
                raise DataError(DAMAGED)
            places = struct.unpack_from(f"<{(lower - PAGE.size) // 2}H", page, PAGE.size)
            if flags & BRANCH:
                waiting += [self._child(page, place) for place in reversed(places)]
            elif flags & LEAF:
                yield from (self._entry(page, begin, place) for place in places)
            else:
                raise DataError(DAMAGED)

    def value(self, begin: int, size: int) -> bytes:
        """Return a value, or as much of it as is wanted."""
        if begin + size > self._size:
            raise DataError(DAMAGED)
        self._stream.seek(begin)
        return self._stream.read(size)

    def _meta(self, number: int) -> tuple:
        page = self.value(number * self._page_size, PAGE.size + META.size)
        meta = META.unpack_from(page, PAGE.size)
        if meta[0] != MAGIC:
            raise DataError(DAMAGED)
        return meta

    def _child(self, page: bytes, place: int) -> int:
        low, middle, high, _ = _node(page, place)
        return low | middle << 16 | high << 32

    def _entry(self, page: bytes, begin: int, place: int) -> tuple[bytes, int, int]:
        low, high, flags, key_size = _node(page, place)
        key_begin = place + NODE.size
        key = page[key_begin : key_begin + key_size]
        place, size = begin + key_begin + key_size, low | high << 16
        if flags & BIG:
            number = int.from_bytes(self.value(place, 8), "little")
            place = number * self._page_size + PAGE.size
        if place + size > self._size:
            raise DataError(DAMAGED)
        return key, place, size


def _node(page: bytes, place: int) -> tuple[int, int, int, int]:
    if place + NODE.size > len(page):
        raise DataError(DAMAGED)
    return NODE.unpack_from(page, place)
