"""Tensor files (safetensors) written piece by piece and read as memory maps.

Neither end needs a tensor in main memory: the header, which tells where each one lies, is
written first, then parts in any order.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from numpy.typing import DTypeLike
from safetensors import SafetensorError, safe_open

from mekrr.errors import DataError
from mekrr.files import atomic_path

DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}
CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
BLOCK = 2**24  # bytes that are copied at once

Layout = Mapping[str, tuple[tuple[int, ...], DTypeLike]]  # of each tensor: shape and dtype


class TensorWriter:
    """Writes parts of tensors; made by `tensor_writer`."""

    def __init__(self, stream: BinaryIO, layout: Layout, begins: Mapping[str, int]):
        self._stream, self._layout, self._begins = stream, layout, begins
        self._missing = {name: _n_bytes(*layout[name]) for name in layout}

    def write(self, name: str, values: np.ndarray, row: int = 0, column: int = 0) -> None:
        """Write a part of a tensor: some rows, or some columns of some rows of a matrix.

        ``row`` and ``column`` are where the part begins.
        """
        shape, dtype = self._layout[name]
        data: np.ndarray = np.ascontiguousarray(values, dtype=dtype)
        row_bytes = _n_bytes(shape[1:], dtype)
        begin = self._begins[name] + row * row_bytes + column * data.itemsize
        for k, line in enumerate([data] if data.shape[1:] == shape[1:] else data):
            self._stream.seek(begin + k * row_bytes)
            self._stream.write(line)
        self._missing[name] -= data.nbytes

    def incomplete(self) -> list[str]:
        """Tensors of which not all was written once."""
        return [name for name, n_bytes in self._missing.items() if n_bytes]


@contextmanager
def tensor_writer(
    path: str | os.PathLike, layout: Layout, metadata: Mapping[str, str]
) -> Iterator[TensorWriter]:
    """Open a file for `TensorWriter.write`; it appears whole or not at all."""
    header: dict[str, dict] = {"__metadata__": dict(metadata)}
    end = 0
    # Descending alignment, as the format wants: no tensor starts inside another's word.
    for name in sorted(layout, key=lambda name: -np.dtype(layout[name][1]).itemsize):
        shape, dtype = layout[name]
        begin, end = end, end + _n_bytes(shape, dtype)
        header[name] = {
            "dtype": CODES[np.dtype(dtype)],
            "shape": shape,
            "data_offsets": [begin, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    first = 8 + len(text)
    begins = {name: first + header[name]["data_offsets"][0] for name in layout}
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        writer = TensorWriter(stream, layout, begins)
        yield writer
        if writer.incomplete():
            raise ValueError(f"{path}: not all of {', '.join(writer.incomplete())} was written")


def write_tensors(
    path: str | os.PathLike, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Write tensors that are in main memory, without a second copy of them all."""
    layout = {name: (values.shape, values.dtype) for name, values in tensors.items()}
    with tensor_writer(path, layout, metadata) as writer:
        for name, values in tensors.items():
            writer.write(name, values)


class TensorFile:
    """A tensor file opened for reading.

    Raises a DataError if the file is damaged, such as cut short.

    Attributes
    ----------
    names : of the tensors.
    metadata : as it was written.
    """

    def __init__(self, path: str | os.PathLike):
        try:
            with safe_open(path, framework="numpy"):  # checks the sizes against the file's
                pass
        except (SafetensorError, OSError) as error:
            raise DataError(f"{path}: damaged file ({error}); delete it and run again") from error
        self._path = path
        with open(path, "rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            self._entries = json.loads(stream.read(size))
        self._begin = 8 + size
        self.metadata = self._entries.pop("__metadata__", {})
        self.names = list(self._entries)

    def read(self, name: str) -> np.ndarray:
        """A tensor as a read-only memory map; a DataError if the file lacks it."""
        entry = self._entry(name)
        shape, dtype = tuple(entry["shape"]), DTYPES[entry["dtype"]]
        if 0 in shape:  # no map is empty
            return np.zeros(shape, dtype)
        return np.memmap(
            self._path,
            dtype=dtype,
            mode="r",
            offset=self._begin + entry["data_offsets"][0],
            shape=shape,
        )

    def blocks(self, name: str) -> Iterator[np.ndarray]:
        """A tensor's rows, some at a time, by plain reads: pages of a map count as memory used."""
        entry = self._entry(name)
        shape, dtype = tuple(entry["shape"]), np.dtype(DTYPES[entry["dtype"]])
        row_bytes = _n_bytes(shape[1:], dtype)
        begin, end = (self._begin + offset for offset in entry["data_offsets"])
        with open(self._path, "rb") as stream:
            stream.seek(begin)
            while begin < end:
                data = stream.read(min(max(BLOCK // row_bytes, 1) * row_bytes, end - begin))
                begin += len(data)
                yield np.frombuffer(data, dtype).reshape(-1, *shape[1:])

    def _entry(self, name: str) -> dict:
        if name not in self._entries:
            raise DataError(
                f"{self._path}: has no tensor {name}: made by another version or with "
                "other settings; delete it and run again"
            )
        return self._entries[name]


def _n_bytes(shape: tuple[int, ...], dtype: DTypeLike) -> int:
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
