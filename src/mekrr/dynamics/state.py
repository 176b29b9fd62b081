"""The state of a run that may be killed: written now and then, taken up exactly."""

from __future__ import annotations

import json
import logging
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mekrr.errors import DataError, first_line
from mekrr.files import atomic_path

log = logging.getLogger(__name__)
SAME = 1e-6  # eV, Å and K: relative, of the start of a run computed twice

Arrays = Mapping[str, np.ndarray]


def write_state(path: str | os.PathLike, settings: Mapping, state: Arrays) -> None:
    """Write arrays and the settings of the run that they are of, whole or not at all."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {"settings": np.array(json.dumps(settings, sort_keys=True)), **state}
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **arrays)


def read_state(path: str | os.PathLike, settings: Mapping, start: Arrays) -> Arrays | None:
    """Return the state of a run that was interrupted; None if there is none to go on with.

    One of other settings, of another start or of another potential, whose energy of the start is
    another, is passed over with a warning.

    Parameters
    ----------
    start : the state of the run that is to be taken up, at its start.

    Raises a DataError if the file is damaged.
    """
    if not Path(path).is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            found = dict(file.items())
        same = json.loads(str(found["settings"])) == settings and all(
            np.allclose(found[key][0], start[key][0], rtol=SAME, atol=SAME)
            for key in ("log", "frames")
        )
    except (zipfile.BadZipFile, ValueError, KeyError, IndexError, EOFError) as error:
        raise DataError(
            f"{path}: damaged checkpoint ({first_line(error)}); delete it to run anew"
        ) from error
    if not same:
        log.warning("%s: checkpoint of another run: it begins anew", path)
        return None
    return found
