"""Types that several parts of the configuration share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from mekrr.backbones.entry import Download
from mekrr.choices import PARTS
from mekrr.closed import Chosen, Closed, Maybe, OneOf, Symbol, Text, Unique, validator
from mekrr.data.strategies import STRATEGIES

NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
Name = Annotated[str, Field(pattern=NAME)]
Strategy = Annotated[str, OneOf(STRATEGIES)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[
    Literal["all"] | NonNegativeInt,
    Chosen(lambda value: None, "all, or an integer of at least 0"),
]
Published = Literal["D1", "D2", "D3", "D4", "Cu/formate"]


class Parts(Closed):
    """A file for each part of a data set that comes divided."""

    train: Text
    val: Text
    test: Text


Files = Annotated[
    Text | Parts,
    Chosen(
        lambda value: Parts.model_validate if isinstance(value, dict) else None,
        "one file, or {train: …, val: …, test: …}",
    ),
]


def in_parts(files: str | Parts | None) -> list[str]:
    """Return one file, or those of train, val and test, as a list in that order."""
    if isinstance(files, Parts):
        return [getattr(files, part) for part in PARTS]
    return [] if files is None else [files]


class DataDownload(Download):
    """A trajectory on the web, or one inside an archive."""

    member: Maybe[Files] = Field(  # type: ignore[assignment]  # or one for each part
        None,
        description="the trajectory's path inside the archive, or its name if only one file has "
        "it; `{train: …, val: …, test: …}` for a data set that comes divided",
    )

    @property
    def members(self) -> list[str]:
        """Paths inside the archive."""
        return in_parts(self.member)


_symbols = validator(Annotated[list[Symbol], Field(min_length=2, max_length=2)])
_indices = validator(Annotated[Unique[NonNegativeInt], Field(min_length=2, max_length=2)])
Pair = Annotated[
    list[Symbol] | list[NonNegativeInt],
    Chosen(
        lambda value: (
            (_indices if all(type(v) is int for v in value) else _symbols)
            if isinstance(value, list)
            else None
        ),
        "two chemical symbols, or the indices of two atoms",
    ),
]


class Distance(Closed):
    """The shortest distance between two species, or that of two atoms."""

    distance: Pair


class Coordination(Closed):
    """A coordination number."""

    coordination: Pair
    radius: Positive


def _kind_of_variable(value: object) -> object:
    if isinstance(value, dict) and value.keys() & {"coordination", "distance"}:
        return (Coordination if "coordination" in value else Distance).model_validate
    return None


CollectiveVariable = Annotated[
    Distance | Coordination,
    Chosen(
        _kind_of_variable,
        "{distance: PAIR}, or {coordination: PAIR, radius: 2.5}; a pair is two symbols or two "
        "indices",
    ),
]
