"""SchNet: features, and a network that is trained or fine-tuned."""

from __future__ import annotations

from pydantic import Field

from mekrr.backbones.families import Family
from mekrr.closed import Closed, Maybe


class Options(Closed):
    """Options of family schnet."""

    exact: Maybe[bool] = Field(
        None,
        description="`true` evaluates the filters' networks for each edge instead of a table "
        "(relative error 1e-5)",
    )


FAMILY = Family(
    adapter="mekrr.backbones.schnet.adapter:SchNet",
    network="mekrr.backbones.schnet.finetune:FineTunedSchNet",
    weights="needed",
    options=Options,
)
