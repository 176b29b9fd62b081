"""MACE: features. Its library needs an environment of its own."""

from __future__ import annotations

from pydantic import Field

from mekrr.backbones.families import Family
from mekrr.closed import Closed, Maybe, Text


class Options(Closed):
    """Options of family mace."""

    head: Maybe[Text] = Field(
        None, description="the level of theory of the energy where the model has several"
    )


FAMILY = Family(
    adapter="mekrr.backbones.mace.adapter:MACE",
    weights="needed",
    environment="mace",
    options=Options,
)
