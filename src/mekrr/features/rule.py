"""Rules of which atoms enter the kernel, as estimator, model files and configuration give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from mekrr.choices import ATOMS
from mekrr.closed import Chosen, Closed, OneOf, Several, Symbol

WORDS = "all, mobile, {species: [N, O]}, {within: 4.0, of: [N]}, or {index: [0, 1]}"


class OfSpecies(Closed):
    """Atoms of some species."""

    species: Several[Symbol]


class Within(Closed):
    """Atoms within a distance (Å) of those of some species, these included."""

    within: Annotated[float, Field(gt=0)]
    of: Several[Symbol]


class OfIndex(Closed):
    """Atoms of some places in each frame, counted from 0."""

    index: Several[Annotated[int, Field(ge=0)]]


def _kind(value: object) -> Callable[[Any], Any] | None:
    if not isinstance(value, dict):
        return None
    if "index" in value:
        return OfIndex.model_validate
    return (Within if value.keys() & {"within", "of"} else OfSpecies).model_validate


AtomRule = Annotated[
    Annotated[str, OneOf(ATOMS)] | OfSpecies | Within | OfIndex, Chosen(_kind, WORDS)
]
