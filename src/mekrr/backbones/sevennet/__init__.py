"""SevenNet: features, and a network that is fine-tuned."""

from mekrr.backbones.families import Family

FAMILY = Family(
    adapter="mekrr.backbones.sevennet.adapter:SevenNet",
    network="mekrr.backbones.sevennet.finetune:FineTunedSevenNet",
)
