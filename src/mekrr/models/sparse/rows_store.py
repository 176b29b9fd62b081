"""Triangles of rows in files: each row from the diagonal on, one after the other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mekrr.models.sparse.factor import Factor
from mekrr.models.sparse.solve import Rows
from mekrr.tensors import TensorFile, write_tensors

KINDS = ("energies", "directions")


def write_rows(path: str | os.PathLike, settings: Iterable[tuple[int, Sequence[Rows]]]) -> None:
    """Write the triangles of each part of the frames, of one setting after the other.

    Of those yet to be written only one setting's are whole in memory, if they are made when they
    are asked for.
    """
    tensors: dict[str, np.ndarray] = {}
    record: dict[str, list[int]] = {}
    for setting, rows in settings:
        for part, of_part in enumerate(rows):
            for kind in KINDS:
                factor: Factor = getattr(of_part, kind)
                name = f"{setting}/{part}/{kind}"
                tensors[name] = factor.triangle[np.triu_indices(factor.size)]
                record[name] = [factor.width, factor.n_targets, factor.n_rows]
    write_tensors(path, tensors, {"record": json.dumps(record)})


def read_rows(path: str | os.PathLike, setting: int) -> list[Rows]:
    """Return the triangles of each part of the frames, of one setting."""
    file = TensorFile(path)
    record = json.loads(file.metadata["record"])
    n_parts = sum(name.startswith(f"{setting}/") for name in record) // len(KINDS)
    return [
        Rows(*(_read(file, record, f"{setting}/{part}/{kind}") for kind in KINDS))
        for part in range(n_parts)
    ]


def _read(file: TensorFile, record: Mapping[str, list[int]], name: str) -> Factor:
    width, n_targets, n_rows = record[name]
    triangle = np.zeros((width + n_targets,) * 2, order="F")
    triangle[np.triu_indices(len(triangle))] = file.read(name)
    return Factor.recalled(triangle, width, n_rows)
