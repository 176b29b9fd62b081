"""SchNet: features, and a network that is trained or fine-tuned."""

from mekrr.backbones.families import Family

FAMILY = Family(
    adapter="mekrr.backbones.schnet.adapter:SchNet",
    network="mekrr.backbones.schnet.finetune:FineTunedSchNet",
    weights="needed",
)
