"""The estimator's parameters: what each may be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral, Real
from types import UnionType
from typing import Any

import numpy as np

from mekrr.choices import BY_SPECIES, FORMS, MEDIANS
from mekrr.errors import ConfigError
from mekrr.features.atoms import check_rule
from mekrr.kernels.atom import KERNELS
from mekrr.models.limits import LARGEST_LAYER, LARGEST_REGULARISATION, MOST_THREADS

CHOICES = {
    "kernel": (*KERNELS, "precomputed"),
    "form": FORMS,
    "target": ("energy", "delta"),
}
OPEN = ("layer", "alpha", "regularisation")  # None where the fit has to choose
TYPES: dict[str, tuple[type | UnionType, str]] = {
    "backbone": (str, "the name of a network"),
    "registry": (str | os.PathLike | None, "the path of a file"),
    "reference_energy": (str | Mapping, "a name, as least-squares, or energies in eV by species"),
}
FLOAT32 = np.finfo(np.float32)
NUMBERS: dict[str, tuple[Any, float | np.floating, float | np.floating]] = {
    "layer": (Integral, 0, LARGEST_LAYER),
    "alpha": (Real, 0, 1),
    "regularisation": (Real, 0, LARGEST_REGULARISATION),
    "lengthscale": (Real, FLOAT32.tiny, FLOAT32.max),
    "threads": (Integral, 1, MOST_THREADS),
}


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise a ConfigError for the first parameter of `mekrr.MEKRR` that has no possible value."""
    for name, known in CHOICES.items():
        value = parameters[name]
        if not isinstance(value, str) or value not in known:
            raise ConfigError(f"{name}={value!r} is unknown; known: {', '.join(known)}")
    for name, (kind, meaning) in TYPES.items():
        if not isinstance(parameters[name], kind):
            raise ConfigError(f"{name}={parameters[name]!r} should be {meaning}")
    for name, (kind, least, largest) in NUMBERS.items():
        value = parameters[name]
        if value is None and name in OPEN:
            continue
        if name == "alpha" and isinstance(value, str) and value == BY_SPECIES:
            continue
        if name == "lengthscale" and isinstance(value, str) and value in MEDIANS:
            continue
        # True is a number to Python.
        if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= largest:
            what = "an integer" if kind is Integral else "a number"
            raise ConfigError(f"{name}={value!r} should be {what} from {least:g} to {largest:g}")
    check_rule(parameters["atoms"])
