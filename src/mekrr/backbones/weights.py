"""Whether weights from a file are those of a model."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import torch

SHOWN = 3  # names in a message


def misfit(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> str:
    """What keeps weights ``found`` from being those ``expected``: names, a shape; "" if nothing."""
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
    """The first few of ``names``, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(sorted(names)[:SHOWN]) + more
