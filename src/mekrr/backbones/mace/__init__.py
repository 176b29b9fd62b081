"""MACE: features. Its library needs an environment of its own."""

from pydantic import Field

from mekrr.backbones.families import Family
from mekrr.closed import Closed, Maybe, Text


class MACEOptions(Closed):
    """Options of family mace."""

    head: Maybe[Text] = Field(
        None, description="the level of theory of the energy where the model has several"
    )


FAMILY = Family(
    adapter="mekrr.backbones.mace.adapter:MACE",
    options=MACEOptions,
    weights="needed",
    environment="mace",
)
