"""Files of SchNet's weights by their layout."""

from __future__ import annotations

import os
from pathlib import Path

from mekrr.backbones.schnet.oc20 import read_oc20
from mekrr.backbones.schnet.own import read_own
from mekrr.backbones.schnet.weights import Weights


def open_weights(path: str | os.PathLike) -> Weights:
    """Open ``.safetensors`` as this project writes it, anything else as a checkpoint of OC20.

    Raises a BackboneError as `read_own` and `read_oc20` do.
    """
    return read_own(path) if Path(path).suffix == ".safetensors" else read_oc20(path)
