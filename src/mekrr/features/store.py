"""Atom features on disk: safetensors, atoms flat with a frame pointer.

Files are written row by row and read as memory maps, so that neither needs a data set's
features in main memory. Layout: ``layerN`` (n_atoms, d) float32 or float16, ``species``
(n_atoms,) int32, ``pointer`` (n_frames + 1,) int64 and, if the network has an energy,
``gnn_energy`` (n_frames,) float64 in eV.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from safetensors import SafetensorError, safe_open

from mekrr.errors import DataError
from mekrr.files import atomic_path

DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}
CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
BLOCK = 2**24  # bytes copied at once while shards are merged


@dataclass(frozen=True)
class FrameFeatures:
    """Features of the atoms of several frames, which may differ in size and species.

    Attributes
    ----------
    features : (n_atoms, d), one row per atom, frame after frame.
    species : (n_atoms,) int, atomic numbers.
    pointer : (n_frames + 1,) int; frame t owns rows ``pointer[t]:pointer[t + 1]``.
    """

    features: np.ndarray
    species: np.ndarray
    pointer: np.ndarray

    def __len__(self) -> int:
        return len(self.pointer) - 1

    @property
    def n_atoms(self) -> np.ndarray:
        """(n_frames,) int, atoms of each frame."""
        return np.diff(self.pointer)

    def select(self, frames: Sequence[int]) -> FrameFeatures:
        """The given frames, in the given order."""
        frames = np.asarray(frames, dtype=int)
        rows = np.concatenate([np.arange(self.pointer[t], self.pointer[t + 1]) for t in frames])
        pointer = np.concatenate([[0], np.cumsum(self.n_atoms[frames])])
        return FrameFeatures(self.features[rows], self.species[rows], pointer)


class FeatureWriter:
    """Appends features, frames in order; made by `feature_writer`."""

    def __init__(self, stream, offsets: Mapping[str, int], dtypes: Mapping[str, np.dtype]):
        self._stream, self._dtypes = stream, dtypes
        self._offsets = dict(offsets)

    def append(self, name: str, values: np.ndarray) -> None:
        """Write the next rows of a tensor."""
        data = np.ascontiguousarray(values, dtype=self._dtypes[name]).tobytes()
        self._stream.seek(self._offsets[name])
        self._stream.write(data)
        self._offsets[name] += len(data)


@contextmanager
def feature_writer(
    path: str | os.PathLike,
    widths: Mapping[int, int],
    species: np.ndarray,
    pointer: np.ndarray,
    *,
    has_energy: bool,
    dtype: str,
    provenance: Mapping[str, str],
) -> Iterator[FeatureWriter]:
    """Open a feature file for `FeatureWriter.append`; it appears whole or not at all.

    Parameters
    ----------
    widths : from layer to the number of its features.
    species : (n_atoms,) atomic numbers. pointer : (n_frames + 1,).
    has_energy : whether ``gnn_energy`` will be written.
    dtype : "float32" or "float16", of the stored features.
    """
    n_atoms, n_frames = len(species), len(pointer) - 1
    shapes = {f"layer{layer}": (n_atoms, d) for layer, d in widths.items()}
    dtypes = dict.fromkeys(shapes, np.dtype(dtype))
    shapes |= {"species": (n_atoms,), "pointer": (n_frames + 1,)}
    dtypes |= {"species": np.dtype("<i4"), "pointer": np.dtype("<i8")}
    if has_energy:
        shapes["gnn_energy"], dtypes["gnn_energy"] = (n_frames,), np.dtype("<f8")
    # Descending alignment, as the format wants: no tensor starts inside another's word.
    names = sorted(shapes, key=lambda name: -dtypes[name].itemsize)
    header: dict[str, object] = {"__metadata__": {"provenance": json.dumps(dict(provenance))}}
    ends, end = {}, 0
    for name in names:
        size = int(np.prod(shapes[name])) * dtypes[name].itemsize
        header[name] = {
            "dtype": CODES[dtypes[name]],
            "shape": shapes[name],
            "data_offsets": [end, end + size],
        }
        ends[name] = end = end + size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    begin = 8 + len(text)
    starts = {name: begin + header[name]["data_offsets"][0] for name in names}
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        writer = FeatureWriter(stream, starts, dtypes)
        writer.append("species", species)
        writer.append("pointer", pointer)
        yield writer
        short = [n for n in names if writer._offsets[n] != begin + ends[n]]
        if short:
            raise ValueError(f"{path}: not all rows of {', '.join(short)} were written")


def shard_bytes(offsets: Sequence[int], shard: int, n_shards: int) -> tuple[int, int | None]:
    """First byte and end of a shard's frames, from the bytes at which all frames begin.

    The end of the last shard is None, the end of the file.
    """
    bounds = np.linspace(0, len(offsets), n_shards + 1).round().astype(int)
    begin, end = bounds[shard], bounds[shard + 1]
    return int(offsets[begin]), int(offsets[end]) if end < len(offsets) else None


def merge_shards(path: str | os.PathLike, shards: Sequence[str | os.PathLike]) -> None:
    """Join the shards of one data set and backbone in order, a block at a time.

    Raises a DataError if they were made with different layers, weights or settings.
    """
    headers = [_header(shard) for shard in shards]
    maps = [_maps(shard, header) for shard, header in zip(shards, headers, strict=True)]
    records = [_provenance(header) for header in headers]
    widths = [_widths(tensors) for tensors in maps]
    for shard, record, width in zip(shards, records, widths, strict=True):
        for key in ("backbone", "weights_sha256", "dtype", "atoms"):
            if record.get(key) != records[0].get(key) or width != widths[0]:
                raise DataError(
                    f"{shard}: made with other {key if width == widths[0] else 'layers'} than "
                    f"{shards[0]}; delete the shards and run again"
                )
    counts = np.concatenate([np.diff(tensors["pointer"]) for tensors in maps])
    names = [name for name in maps[0] if name not in ("species", "pointer")]
    with feature_writer(
        path,
        widths[0],
        np.concatenate([tensors["species"] for tensors in maps]),
        np.concatenate([[0], np.cumsum(counts)]),
        has_energy="gnn_energy" in names,
        dtype=records[0]["dtype"],
        provenance=records[0] | {"device": ", ".join(sorted({r["device"] for r in records}))},
    ) as writer:
        for name in names:
            for shard, header in zip(shards, headers, strict=True):
                for rows in _blocks(shard, header, name):
                    writer.append(name, rows)


def _blocks(path: str | os.PathLike, header: Mapping, name: str) -> Iterator[np.ndarray]:
    """A tensor's values, flat, by plain reads: pages of a map would count as memory used."""
    begin, end = (header[""] + offset for offset in header[name]["data_offsets"])
    with open(path, "rb") as stream:
        stream.seek(begin)
        while begin < end:
            data = stream.read(min(BLOCK, end - begin))
            begin += len(data)
            yield np.frombuffer(data, dtype=DTYPES[header[name]["dtype"]])


def read_layer(path: str | os.PathLike, layer: int) -> FrameFeatures:
    """Features of one layer as a memory map (float16 ones: converted, in main memory).

    Raises a DataError if the file is damaged or lacks the layer.
    """
    tensors = _maps(path, _header(path))
    if f"layer{layer}" not in tensors:
        stored = ", ".join(str(k) for k in sorted(_widths(tensors)))
        raise DataError(
            f"{path}: has no layer {layer}, only {stored}; correct `layers` in the config"
        )
    features = tensors[f"layer{layer}"]
    if features.dtype == np.float16:
        features = features.astype(np.float32)
    return FrameFeatures(features, np.array(tensors["species"]), np.array(tensors["pointer"]))


def read_gnn_energy(path: str | os.PathLike) -> np.ndarray | None:
    """The network's own energies (n_frames,) in eV, or None if it has none."""
    tensors = _maps(path, _header(path))
    return np.array(tensors["gnn_energy"]) if "gnn_energy" in tensors else None


def read_provenance(path: str | os.PathLike) -> dict[str, str]:
    """Versions, weights' checksum, dtype and device that the features were made with."""
    return _provenance(_header(path))


def _provenance(header: Mapping) -> dict[str, str]:
    return json.loads(header["__metadata__"]["provenance"])


def _widths(tensors: Mapping[str, np.ndarray]) -> dict[int, int]:
    layers = {int(n.removeprefix("layer")): t for n, t in tensors.items() if n.startswith("layer")}
    return {layer: tensor.shape[1] for layer, tensor in layers.items()}


def _header(path: str | os.PathLike) -> dict:
    try:
        with safe_open(path, framework="numpy"):  # checks the sizes against the file's
            pass
    except (SafetensorError, OSError) as error:
        raise DataError(
            f"{path}: damaged feature file ({error}); delete it and run again"
        ) from error
    with open(path, "rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        return json.loads(stream.read(size)) | {"": 8 + size}


def _maps(path: str | os.PathLike, header: Mapping) -> dict[str, np.ndarray]:
    """Every tensor as a read-only memory map."""
    begin = header[""]
    maps = {}
    for name, entry in header.items():
        if name in ("", "__metadata__"):
            continue
        maps[name] = np.memmap(
            path,
            dtype=DTYPES[entry["dtype"]],
            mode="r",
            offset=begin + entry["data_offsets"][0],
            shape=tuple(entry["shape"]),
        )
    return maps
