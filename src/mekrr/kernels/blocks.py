"""One Gram matrix in one job or in many: its blocks, and their merge.

Memory: features and kernels of two cells of one layer, whatever the number of frames; while
blocks are merged, the rows of one cell. Disk, in units of 8 n_frames² (1 + n_species) bytes
per layer: 0.42 for the blocks and 0.6 for the merged file if 0.6 of the frames are for
training; the blocks can go after the merge.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mekrr.errors import DataError
from mekrr.features.store import read_layer
from mekrr.kernels.cells import Cells, Pair, pairs_of_parts
from mekrr.kernels.gram import Gram, species_gram
from mekrr.kernels.prepared import DTYPE, Prepared
from mekrr.kernels.store import kernel_writer
from mekrr.tensors import TensorFile, tensor_writer


def write_gram(
    path: str | os.PathLike, features: str | os.PathLike, prepared: Prepared, *, threads: int
) -> None:
    """Compute the kernels of all layers and write them, pair by pair of cells."""
    cells = prepared.cells(1)
    with kernel_writer(path, prepared.train, prepared.own, prepared.lengthscales) as writer:
        for layer, pair, gram in _computed(features, prepared, cells, (0, 0), threads):
            rows, columns = cells.frames[pair.kind][pair.row], cells.frames["train"][pair.column]
            for share, values in _by_share(gram):
                writer.write(layer, share, rows, cells.first_column[pair.column], values)
                if pair.mirrored:
                    writer.write(layer, share, columns, cells.first_column[pair.row], values.T)


def write_block(
    path: str | os.PathLike,
    features: str | os.PathLike,
    prepared: Prepared,
    parts: tuple[int, int],
    n_parts: int,
    *,
    threads: int,
) -> None:
    """Compute the block of two parts, every layer, and write it pair by pair of cells."""
    cells = prepared.cells(n_parts)
    layout = {
        f"{pair}.layer{layer}.{share}": (cells.shape(pair), np.float64)
        for layer in prepared.layers
        for pair in cells.block(*parts)
        for share in ("all", *prepared.own[layer].shares)
    }
    record = {"lengthscales": prepared.lengthscales, "n_parts": n_parts, "parts": parts}
    with tensor_writer(path, layout, {"block": json.dumps(record)}) as writer:
        for layer, pair, gram in _computed(features, prepared, cells, parts, threads):
            for share, values in _by_share(gram):
                writer.write(f"{pair}.layer{layer}.{share}", values)


def merge_blocks(
    path: str | os.PathLike, blocks: Sequence[str | os.PathLike], prepared: Prepared
) -> None:
    """Join all blocks, the rows of one cell at a time.

    Raises a DataError if a block is damaged, missing, or was made for something else.
    """
    files, n_parts = _open_blocks(blocks, prepared)
    cells = prepared.cells(n_parts)
    holder = {pair: file for parts, file in files.items() for pair in cells.block(*parts)}
    columns = range(len(cells.frames["train"]))
    with kernel_writer(path, prepared.train, prepared.own, prepared.lengthscales) as writer:
        for layer in prepared.layers:
            shares: list[int | str] = ["all", *prepared.own[layer].shares]
            for share in shares:
                name = f"layer{layer}.{share}"
                for kind, members in cells.frames.items():
                    for row, frames in enumerate(members):
                        pairs = [Pair(kind, row, column) for column in columns]
                        values = np.hstack([_stored(holder, pair, name) for pair in pairs])
                        writer.write(layer, share, frames, 0, values)


def _stored(holder: Mapping[Pair, TensorFile], pair: Pair, name: str) -> np.ndarray:
    if pair in holder:
        return holder[pair].read(f"{pair}.{name}")
    image = Pair(pair.kind, pair.column, pair.row)
    return holder[image].read(f"{image}.{name}").T


def _computed(
    features: str | os.PathLike,
    prepared: Prepared,
    cells: Cells,
    parts: tuple[int, int],
    threads: int,
) -> Iterator[tuple[int, Pair, Gram]]:
    for layer in prepared.layers:
        frames, coordinates = read_layer(features, layer), prepared.coordinates[layer]
        for pair in cells.block(*parts):
            rows = frames.select(cells.frames[pair.kind][pair.row])
            symmetric = pair.kind == "train" and not pair.mirrored
            columns = None if symmetric else frames.select(cells.frames["train"][pair.column])
            gram = species_gram(
                rows,
                columns,
                prepared.kernel(layer),
                coordinates=coordinates,
                threads=threads,
                dtype=DTYPE,
                title=f"layer {layer}, {pair}",
            )
            yield layer, pair, gram


def _open_blocks(
    blocks: Sequence[str | os.PathLike], prepared: Prepared
) -> tuple[dict[tuple[int, int], TensorFile], int]:
    """Blocks by their parts, and the number of parts."""
    lengthscales = json.loads(json.dumps(prepared.lengthscales))
    files, counts = {}, set()
    for block in blocks:
        file = TensorFile(block)
        record = json.loads(file.metadata["block"])
        files[tuple(record["parts"])] = file
        counts.add(record["n_parts"])
        if record["lengthscales"] != lengthscales or len(counts) > 1:
            raise DataError(
                f"{block}: made with other features or another split; delete it and run again"
            )
    (n_parts,) = counts
    missing = sorted(set(pairs_of_parts(n_parts)) - set(files))
    if missing:
        raise DataError(f"{blocks[0]}: the blocks {missing} beside it are missing; run again")
    return files, n_parts


def _by_share(gram: Gram) -> list[tuple[int | str, np.ndarray]]:
    return [("all", gram.k0), *gram.shares.items()]
