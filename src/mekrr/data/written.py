"""Checked frames on disk, of which few are in memory at once."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from ase import Atoms

# ase.io is imported where it is used: it brings parts of scipy along.


def written(atoms: Atoms) -> bytes:
    """Return a frame as extended XYZ."""
    from ase.io import write

    text = io.StringIO()
    write(text, atoms, format="extxyz")
    return text.getvalue().encode()


def parsed(text: bytes) -> list[Atoms]:
    """Return the frames of a text that `written` made, without checking them again."""
    from ase.io import iread

    return list(iread(io.StringIO(text.decode()), index=":", format="extxyz"))


class WrittenFrames(Sequence[Atoms]):
    """The frames of a file in `written`'s form, each read when it is asked for.

    Parameters
    ----------
    path : the file.
    begins : (n_frames,) the byte at which each begins.
    ends : (n_frames,) that at which it ends; None: where the next begins.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        begins: Sequence[int] | np.ndarray,
        ends: Sequence[int] | np.ndarray | None = None,
    ):
        self._path = path
        self._begins = np.asarray(begins, dtype=np.int64)
        if ends is None:
            ends = [*self._begins[1:].tolist(), os.path.getsize(path)]
        self._ends = np.asarray(ends, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._begins)

    @overload
    def __getitem__(self, k: int) -> Atoms: ...
    @overload
    def __getitem__(self, k: slice) -> WrittenFrames: ...
    def __getitem__(self, k: int | slice) -> Atoms | WrittenFrames:
        if isinstance(k, slice):
            return WrittenFrames(self._path, self._begins[k], self._ends[k])
        (atoms,) = parsed(self.text(k))
        return atoms

    def __iter__(self) -> Iterator[Atoms]:
        for text in self.texts():
            (atoms,) = parsed(text)
            yield atoms

    def chosen(self, which: np.ndarray) -> WrittenFrames:
        """Return those of some indices (n,)."""
        return WrittenFrames(self._path, self._begins[which], self._ends[which])

    def text(self, k: int) -> bytes:
        """Return one as it is written."""
        (text,) = WrittenFrames(self._path, self._begins[[k]], self._ends[[k]]).texts()
        return text

    def texts(self) -> Iterator[bytes]:
        """Yield each as it is written."""
        with open(self._path, "rb") as stream:
            for begin, end in zip(self._begins.tolist(), self._ends.tolist(), strict=True):
                stream.seek(begin)
                yield stream.read(end - begin)
