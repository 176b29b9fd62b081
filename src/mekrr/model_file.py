"""Fitted models on disk: one safetensors file, its metadata JSON; nothing in it can run code.

The metadata has one key, ``mekrr``: a JSON object with ``format``, the version of this
layout, ``mekrr``, that of the package, and the record that the estimator keeps beside its
tensors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

import mekrr
from mekrr.errors import DataError, first_line
from mekrr.files import atomic_path

FORMAT = 1


def write_model(
    path: str | os.PathLike, tensors: Mapping[str, np.ndarray], record: Mapping[str, object]
) -> None:
    """Write a model, whole or not at all.

    ``record`` holds what JSON can, and numpy scalars and paths, which become plain values.
    """
    record = {"format": FORMAT, "mekrr": mekrr.__version__, **record}
    text = json.dumps(record, default=_plain, allow_nan=False)
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:  # save_file would let only the owner read it
        temporary.write_bytes(save(contiguous, metadata={"mekrr": text}))


def read_model(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict]:
    """Tensors and record of a model.

    Raises
    ------
    DataError
        If the file is missing, damaged, no model file, or of a newer format than this
        version knows.
    """
    if not Path(path).is_file():
        raise DataError(f"{path}: no such file; give the path of a model that mekrr wrote")
    try:
        with safe_open(path, framework="numpy") as file:
            record = json.loads((file.metadata() or {}).get("mekrr", "{}"))
            version = record.get("format")
            if not isinstance(version, int):
                raise DataError(f"{path}: is no model file of mekrr; give the one that was saved")
            if version > FORMAT:
                raise DataError(
                    f"{path}: model file of format {version}, written by mekrr "
                    f"{record.get('mekrr', 'of unknown version')}; this one, "
                    f"{mekrr.__version__}, reads up to format {FORMAT}: update mekrr"
                )
            return {name: file.get_tensor(name) for name in file.keys()}, record  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(
            f"{path}: damaged model file ({first_line(error)}); restore it or fit again"
        ) from error


def _plain(value: object) -> object:
    """A numpy scalar as Python's, a path as text."""
    return value.item() if isinstance(value, np.generic) else os.fspath(value)
