"""SevenNet: features, and a network that is fine-tuned."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mekrr.backbones.families import Family
from mekrr.closed import Closed, Maybe


class Options(Closed):
    """Options of family sevennet."""

    checkpoint: Maybe[Literal["7net-0", "7net-l3i5"]] = Field(
        None, description="which of the weights in the package"
    )
    norms: Maybe[bool] = Field(
        None, description="also the lengths of vector and tensor channels, as further features"
    )


FAMILY = Family(
    adapter="mekrr.backbones.sevennet.adapter:SevenNet",
    network="mekrr.backbones.sevennet.finetune:FineTunedSevenNet",
    options=Options,
)
