"""The estimators' parameters: what each may be."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from types import UnionType
from typing import Any

import numpy as np

from mekrr.choices import BY_SPECIES, FORMS, MEDIANS, METRICS
from mekrr.errors import ConfigError
from mekrr.features.atoms import check_rule
from mekrr.kernels.atom import KERNELS, RADIAL
from mekrr.models.limits import (
    LARGEST_INDUCING,
    LARGEST_LAYER,
    LARGEST_REGULARISATION,
    MOST_DIRECTIONS,
    MOST_THREADS,
)
from mekrr.models.sparse.inducing import WAYS

FLOAT32 = np.finfo(np.float32)
Bounds = tuple[Any, float | np.floating, float | np.floating]


@dataclass(frozen=True)
class Parameters:
    """What the parameters of an estimator may be.

    Attributes
    ----------
    choices : words of which a parameter is one.
    types : types, and what these mean.
    numbers : kind, least and largest.
    open : those that may be None, for the fit to choose.
    words : words that may stand for a number.
    rules : rules of atoms; those in ``open`` may be None.
    several : numbers of which there may be several to choose from.
    """

    choices: Mapping[str, tuple[str, ...]]
    types: Mapping[str, tuple[type | UnionType, str]]
    numbers: Mapping[str, Bounds]
    open: Collection[str]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: tuple[str, ...] = ("atoms",)
    several: Collection[str] = ()

    def check(self, parameters: Mapping[str, Any]) -> None:
        """Raise a ConfigError for the first parameter that has no possible value."""
        for name, known in self.choices.items():
            value = parameters[name]
            if not isinstance(value, str) or value not in known:
                raise ConfigError(f"{name}={value!r} is unknown; known: {', '.join(known)}")
        for name, (kind, meaning) in self.types.items():
            if not isinstance(parameters[name], kind):
                raise ConfigError(f"{name}={parameters[name]!r} should be {meaning}")
        for name, (kind, least, largest) in self.numbers.items():
            value = parameters[name]
            if value is None and name in self.open:
                continue
            if isinstance(value, str) and value in self.words.get(name, ()):
                continue
            listed = name in self.several and isinstance(value, Sequence) and len(value)
            for each in value if listed else [value]:
                # True is a number to Python.
                right = isinstance(each, kind) and not isinstance(each, bool)
                if not right or not least <= each <= largest:
                    what = "an integer" if kind is Integral else "a number"
                    raise ConfigError(
                        f"{name}={value!r} should be {what} from {least:g} to {largest:g}"
                    )
        for name in self.rules:
            if not (parameters[name] is None and name in self.open):
                check_rule(parameters[name], name)


OF_BOTH: dict[str, tuple[type | UnionType, str]] = {
    "backbone": (str, "the name of a network"),
    "registry": (str | os.PathLike | None, "the path of a file"),
    "reference_energy": (str | Mapping, "a name, as least-squares, or energies in eV by species"),
}
LENGTHSCALE: Bounds = (Real, FLOAT32.tiny, FLOAT32.max)
THREADS: Bounds = (Integral, 1, MOST_THREADS)
OF_MEKRR = Parameters(
    {"kernel": (*KERNELS, "precomputed"), "form": FORMS, "target": ("energy", "delta")},
    OF_BOTH,
    {
        "layer": (Integral, 0, LARGEST_LAYER),
        "alpha": (Real, 0, 1),
        "regularisation": (Real, 0, LARGEST_REGULARISATION),
        "lengthscale": LENGTHSCALE,
        "threads": THREADS,
    },
    open=("layer", "alpha", "regularisation"),
    words={"alpha": (BY_SPECIES,), "lengthscale": MEDIANS},
)
OF_SPARSE = Parameters(
    {
        "kernel": RADIAL,
        "metric": METRICS,
        "inducing_by": WAYS,
        "target": ("auto", "energy", "delta"),
    },
    {**OF_BOTH, "stress": (bool, "True or False")},
    {
        "forces": (Integral, 0, MOST_DIRECTIONS),
        "inducing": (Integral, 1, LARGEST_INDUCING),
        "alpha": (Real, 0, 1),
        "regularisation": (Real, FLOAT32.tiny, FLOAT32.max),
        "sigma_energy": (Real, FLOAT32.tiny, FLOAT32.max),
        "lengthscale": LENGTHSCALE,
        "threads": THREADS,
    },
    open=("regularisation", "sigma_energy", "lengthscale", "force_atoms"),
    rules=("atoms", "force_atoms"),
    several=("inducing",),
)


def check_layers(layers: object) -> None:
    """Raise a ConfigError unless these are layers side by side, each once; or None."""
    if layers is None:
        return
    shown = f"layers={layers!r} should be numbers of layers, each once, as [1, 2]"
    if isinstance(layers, str | bytes) or not isinstance(layers, Sequence | np.ndarray):
        raise ConfigError(shown)
    for layer in layers:
        if isinstance(layer, bool) or not isinstance(layer, Integral):
            raise ConfigError(shown)
        if not 0 <= int(layer) <= LARGEST_LAYER:
            raise ConfigError(f"{shown}, from 0 to {LARGEST_LAYER}")
    if not 0 < len(set(layers)) == len(layers):
        raise ConfigError(shown)
