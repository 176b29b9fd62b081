"""Fitted models on disk: one safetensors file, its metadata JSON; nothing in it can run code.

The metadata has one key, ``mekrr``: a JSON object, the record, of which a `Record` is the
schema. It holds ``format``, the version of this layout; ``mekrr``, that of the package;
``sha256``, a checksum of the record itself and of all tensors (since format 2); and what the
kind of model keeps beside its tensors. Format 3 brought α by species, and what centres a linear
kernel: those of older files are taken as they are. Format 4 brought energies that add up over
atoms: older models are intensive. Format 5 brought sparse models, whose record says so by its
``kind``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

import mekrr
from mekrr.errors import ModelFileError, first_fault, first_line, printable
from mekrr.files import atomic_path
from mekrr.tensors import CODES, DTYPES

FORMAT = 5
CHECKED_SINCE = 2  # the format that brought the checksum
LARGEST_RECORD = 1 << 24  # characters; that of the largest model known has some 10⁴
UNSEALED = "0" * 64  # stands for the checksum where the record itself is summed up

Tensors = Mapping[str, np.ndarray]
Text = Annotated[str, Field(max_length=10_000)]


class Closed(BaseModel):
    """A part of a record: no unknown keys, no conversion of types, finite numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Record(Closed):
    """What the record of every model has; each kind of model says what else in a subclass."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    format: int
    mekrr: Text

    @model_validator(mode="after")
    def _has_checksum(self) -> Record:
        if self.sha256 is None and self.format >= CHECKED_SINCE:
            raise ValueError("sha256, the checksum, is missing")
        return self

    def check(self, tensors: Tensors) -> None:
        """Raise a ValueError that names the first tensor that does not fit the record."""
        raise NotImplementedError


class _Version(BaseModel):
    """The part of a record that is the same in every format, also in those to come."""

    model_config = ConfigDict(strict=True)

    format: Annotated[int, Field(ge=1)]
    mekrr: Text
    kind: Text | None = None


Kind = TypeVar("Kind", bound=Record)


def write_model(
    path: str | os.PathLike,
    tensors: Tensors,
    record: Mapping[str, object],
    schema: type[Record],
) -> None:
    """Write a model, whole or not at all, and only one that `read_model` would take.

    ``record`` holds what JSON can, and numpy scalars and arrays, which become plain values.

    Raises a ModelFileError if record and tensors are none of the ``schema``.
    """
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    record = {"sha256": UNSEALED, "format": FORMAT, "mekrr": mekrr.__version__, **record}
    try:
        text = json.dumps(record, default=_plain)
        schema.model_validate_json(text).check(tensors)
        for name, tensor in tensors.items():
            _require_type(name, CODES.get(tensor.dtype, tensor.dtype))
    except (TypeError, ValueError) as error:
        raise ModelFileError(
            f"{path}: no model that could be read again: {_fault(error)}; correct it and fit again"
        ) from error
    text = text.replace(UNSEALED, _checksum(text, tensors), 1)
    with atomic_path(path) as temporary:  # save_file would let only the owner read it
        temporary.write_bytes(save(tensors, metadata={"mekrr": text}))


def kind_of(path: str | os.PathLike) -> str | None:
    """Return the kind of model that a file says it holds; None of one between whole frames.

    Raises the errors of `read_model`, but for those of what else the file holds.
    """
    with _readable(path), safe_open(path, framework="numpy") as file:
        return _version(path, file)[0].kind


def read_model(path: str | os.PathLike, schema: type[Kind]) -> tuple[dict[str, np.ndarray], Kind]:
    """Tensors and record of a model, after all checks.

    Parameters
    ----------
    schema : of the kind of model that is wanted.

    Raises
    ------
    ModelFileError
        In one line that names the file and the field, if it is missing, no regular file, no
        model of this kind, of a newer format than this version knows, or damaged: if what it
        holds is not what its checksum says or the ``schema`` allows.
    """
    with _readable(path):
        with safe_open(path, framework="numpy") as file:
            version, text = _version(path, file)
            if (version.kind is None) == ("kind" in schema.model_fields):
                kind = "another kind of" if version.kind is None else f"a {_cut(version.kind)}"
                raise ModelFileError(f"{path}: holds {kind} model; give the path to load_model")
            record = schema.model_validate_json(text)
            tensors = {name: _tensor(file, name) for name in file.keys()}  # noqa: SIM118
        _verify(record, text, tensors)
        record.check(tensors)
        return tensors, record


@contextmanager
def _readable(path: str | os.PathLike) -> Iterator[None]:
    """Name the file, and what is wrong with it."""
    try:
        _require_regular(path)
        yield
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(
            f"{path}: damaged model file: {_fault(error)}; restore it or fit again"
        ) from error


def _version(path: str | os.PathLike, file: safe_open) -> tuple[_Version, str]:
    """Return what a record says of itself, once that is known, and its text."""
    text = _record_text(path, file.metadata() or {})
    version = _Version.model_validate_json(text)
    _require_known(path, version)
    return version, text


def _require_regular(path: str | os.PathLike) -> None:
    """Refuse what is missing, and what reading might wait for or never end."""
    what = "no regular file" if Path(path).exists() else "no such file"
    if not Path(path).is_file():
        raise ModelFileError(f"{path}: {what}; give the path of a model that mekrr wrote")


def _record_text(path: str | os.PathLike, metadata: Mapping[str, str]) -> str:
    if "mekrr" not in metadata:
        raise ModelFileError(f"{path}: is no model file of mekrr; give the one that was saved")
    text = metadata["mekrr"]
    if len(text) > LARGEST_RECORD:
        raise ValueError(f"its record has more than {LARGEST_RECORD} characters")
    return text


def _require_known(path: str | os.PathLike, version: _Version) -> None:
    if version.format > FORMAT:
        raise ModelFileError(
            f"{path}: model file of format {version.format}, written by mekrr "
            f"{printable(version.mekrr)[:40]}; this one, {mekrr.__version__}, reads up to format "
            f"{FORMAT}: update mekrr"
        )


def _tensor(file: safe_open, name: str) -> np.ndarray:
    _require_type(name, file.get_slice(name).get_dtype())  # numpy has not all of them
    return file.get_tensor(name)


def _require_type(name: str, code: object) -> None:
    if code not in DTYPES:
        raise ValueError(f"tensor {_cut(name)} is of type {code}, which no model has")


def _verify(record: Record, text: str, tensors: Tensors) -> None:
    if record.sha256 is None:  # of format 1
        return
    if _checksum(text.replace(record.sha256, UNSEALED, 1), tensors) != record.sha256:
        raise ValueError("its content does not have the checksum in it, sha256")


def _checksum(text: str, tensors: Tensors) -> str:
    """Hexadecimal SHA-256 of a record whose checksum is `UNSEALED`, and of contiguous tensors."""
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.data)
    return digest.hexdigest()


def _fault(error: Exception) -> str:
    return first_fault(error) if isinstance(error, ValidationError) else _cut(first_line(error))


def _cut(text: str) -> str:
    return printable(text)[:200]


def _plain(value: object) -> object:
    """A numpy scalar or array as Python's numbers."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is none of JSON's types")
