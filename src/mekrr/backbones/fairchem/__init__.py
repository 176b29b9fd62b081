"""UMA and eSEN: features."""

from __future__ import annotations

from pydantic import Field

from mekrr.backbones.families import Family
from mekrr.closed import Closed, Maybe, Text


class Options(Closed):
    """Options of family fairchem."""

    model: Maybe[Text] = Field(
        None, description="a name that fairchem-core knows, such as `uma-s-1p1`, without `weights`"
    )
    task: Maybe[Text] = Field(None, description="the task of UMA, such as `oc20`")


FAMILY = Family(
    adapter="mekrr.backbones.fairchem.adapter:FairChem",
    weights="optional",
    extra="fairchem",
    options=Options,
)
