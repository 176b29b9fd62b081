"""CHGNet: features, and a network that is fine-tuned."""

from mekrr.backbones.families import Family

FAMILY = Family(
    adapter="mekrr.backbones.chgnet.adapter:CHGNetBackbone",
    network="mekrr.backbones.chgnet.finetune:FineTunedCHGNet",
    extra="chgnet",
)
