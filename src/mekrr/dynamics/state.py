"""The state of a run that may be killed: written now and then, taken up exactly."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mekrr.errors import DataError, OtherRunError, first_line
from mekrr.files import atomic_path, named_in_errors

SAME = 1e-6  # eV, Å and their like: relative, of the start of a run computed twice
LONGEST = 60  # characters of a setting that a message shows

Arrays = Mapping[str, np.ndarray]


def write_state(path: str | os.PathLike, settings: Mapping, state: Arrays) -> None:
    """Write arrays and the settings of the run that they are of, whole or not at all."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {"settings": np.array(json.dumps(settings, sort_keys=True)), **state}
    with (
        named_in_errors(path),
        atomic_path(path) as temporary,
        open(temporary, "wb") as stream,
    ):
        np.savez(stream, **arrays)


def version(path: str | os.PathLike) -> tuple[int, int] | None:
    """Return what tells a state on disk from those written before and after; None without one."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def read_state(path: str | os.PathLike, settings: Mapping, start: Arrays) -> Arrays | None:
    """Return the state of a run that was interrupted; None if there is none to go on with.

    Parameters
    ----------
    settings : those of the run that is to be taken up, which JSON holds.
    start : arrays of its start, which are part of every state of it.

    Raises
    ------
    DataError
        If the file is damaged.
    OtherRunError
        If it is of a run with other settings or of another start.
    """
    if not Path(path).is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            found = dict(file.items())
        other = _other(json.loads(str(found["settings"])), settings)
        other = other or next((key for key in start if not _same(found[key], start[key])), None)
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError) as error:
        raise DataError(
            f"{path}: damaged checkpoint ({first_line(error)}); delete it to run anew"
        ) from error
    if other is not None:
        raise OtherRunError(
            f"{path}: checkpoint of another run, by its {other}; give what that run had to go on "
            "with it, or delete it, or write to another place"
        )
    return found


def _other(known: Mapping, settings: Mapping) -> str | None:
    """Return the first setting that differs, with its values."""
    for key in sorted({*known, *settings}):
        there, here = known.get(key), settings.get(key)
        if there != here:
            values = f" ({there}, here {here})"
            return f"{key}{values if len(values) <= LONGEST else ''}"
    return None


def _same(there: np.ndarray, here: np.ndarray) -> bool:
    return there.shape == here.shape and np.allclose(there, here, rtol=SAME, atol=SAME)
