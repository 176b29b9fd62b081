"""What a method of the study is fitted by, apart from how it looks in tables and figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mekrr.choices import INTENSIVE

GRID = None  # for the α of a method: chosen from the grid of the configuration


@dataclass(frozen=True)
class Recipe:
    """What is fitted, to what, and what chooses.

    Attributes
    ----------
    name : in the CSV tables.
    kind : what is fitted: "constant", "potential" (to frames themselves), "network", "kernel",
        "sparse", or "franken".
    baseline : what is known beforehand: "references", a network's energies ("network"), or both
        ("delta"); see `mekrr.models.problem`.
    kernel : atom kernel, of kinds "kernel" and "sparse", as the rest but for ``model``.
    alpha : α of the kernel, or `GRID`.
    criterion : what chooses, see `mekrr.models.select.Search`.
    by_species : whether each species has its own α.
    form : "intensive", as published, or "extensive", energies that add up over atoms; see
        `mekrr.models.mekrr.MEKRR`.
    forces : whether forces are learnt beside energies, of kinds "sparse", "network", "potential".
    model : class of `mekrr.models` that is fitted, of kind "constant" alone: the others have one.
    """

    name: str
    kind: str
    baseline: str = "references"
    kernel: str = ""
    alpha: float | None = 0.0
    criterion: str = "validation"
    by_species: bool = False
    form: str = INTENSIVE
    forces: bool = False
    model: str = "mekrr.models.constant.Constant"


def recipes_from(given: Iterable[Mapping[str, Any]]) -> list[Recipe]:
    """Return recipes from the plain values that a rule hands to its script."""
    return [Recipe(**values) for values in given]
