"""The state of a training that may be killed: written now and then, taken up exactly."""

from __future__ import annotations

import logging
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

from mekrr.errors import DataError, first_line
from mekrr.files import atomic_path

log = logging.getLogger(__name__)

Identity = Mapping[str, str]  # checksums: of the data, of the network with its settings


def write_checkpoint(path: str | os.PathLike, identity: Identity, state: Mapping) -> None:
    """Write tensors and plain values, whole or not at all."""
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        torch.save({"identity": dict(identity), "state": state}, stream)


def read_checkpoint(path: str | os.PathLike, identity: Identity) -> dict | None:
    """State of a training that was interrupted; None if there is none to go on with.

    One with other settings is passed over, with a warning.

    Raises
    ------
    DataError
        If the file is damaged, or belongs to other data.
    """
    if not Path(path).is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:  # whose checksums torch does not look at
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"other bytes than were written in {damaged}")
        found = torch.load(path, map_location="cpu", weights_only=True)
        data, network = (found["identity"][key] for key in ("data", "network"))
        state = found["state"]
    except Exception as error:  # a damaged pickle stumbles anywhere
        raise DataError(
            f"{path}: damaged checkpoint ({first_line(error)}); delete it to train anew"
        ) from error
    if data != identity["data"]:
        raise DataError(f"{path}: checkpoint of another data set or split; delete it to train anew")
    if network != identity["network"]:
        log.warning("%s: checkpoint of other settings: training begins anew", path)
        return None
    return state
