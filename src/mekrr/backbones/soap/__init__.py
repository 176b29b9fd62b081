"""SOAP vectors: features without a network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mekrr.backbones.families import Family
from mekrr.closed import Chosen, Closed, Maybe, Several, Symbol, validator

_symbols = validator(Several[Symbol])
Radius = Annotated[float, Field(gt=0, le=100)]


class Options(Closed):
    """Options of family soap."""

    species: Annotated[
        Literal["all"] | Several[Symbol],
        Chosen(
            lambda value: _symbols if isinstance(value, list) else None,
            "all, or a list of chemical symbols",
        ),
    ] = Field(description="elements of the vectors; `all`: those of each data set")
    n_max: Maybe[Annotated[int, Field(ge=1, le=100)]] = Field(None, description="radial functions")
    l_max: Maybe[Annotated[int, Field(ge=0, le=50)]] = Field(None, description="angular momenta")
    cutoff: Maybe[Radius] = Field(None, description="radius of the vectors, Å")
    sigma: Maybe[Radius] = Field(None, description="width of an atom's density, Å")


FAMILY = Family(
    adapter="mekrr.backbones.soap.adapter:SOAP",
    extra="soap",
    options=Options,
    energy=False,
)
