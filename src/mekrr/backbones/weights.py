"""Whether weights from a file can be trusted, and are those of a model."""

from __future__ import annotations

import os
import pickle
from collections.abc import Collection, Mapping

import numpy as np
import torch

from mekrr.errors import BackboneError, first_line

SHOWN = 3  # names in a message


def unreadable(path: str | os.PathLike, error: Exception, cure: str) -> BackboneError:
    """Return what to raise where loading a pickled file with ``weights_only=True`` failed."""
    if isinstance(error, pickle.UnpicklingError):  # its text tells how to load it all the same
        return BackboneError(f"{path}: refused, since loading it could run code; {cure}")
    return BackboneError(f"{path}: cannot be read ({first_line(error)}); {cure}")


def untrusted(path: str | os.PathLike, foreign: Collection[str], cure: str) -> BackboneError:
    """Return what to raise where a pickled file names what no such file needs."""
    return BackboneError(
        f"{path}: refused, since loading it could run code: it pickles "
        f"{', '.join(sorted(foreign))}; {cure}"
    )


def misfit(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> str:
    """Tell what keeps weights ``found`` from being those ``expected``; "" if nothing."""
    differences = {
        "lacks": expected.keys() - found.keys(),
        "has unexpected": found.keys() - expected.keys(),
    }
    if any(differences.values()):
        return " and ".join(f"{how} {some(keys)}" for how, keys in differences.items() if keys)
    for key, value in found.items():
        if np.shape(value) != np.shape(expected[key]):
            shape, right = tuple(np.shape(value)), tuple(np.shape(expected[key]))
            return f"has {key} of shape {shape}, which the model's settings make {right}"
    return ""


def some(names: Collection[str]) -> str:
    """Return the first few of ``names``, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(sorted(names)[:SHOWN]) + more
