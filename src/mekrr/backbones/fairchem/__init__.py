"""UMA and eSEN: features."""

from mekrr.backbones.families import Family

FAMILY = Family(
    adapter="mekrr.backbones.fairchem.adapter:FairChem",
    weights="optional",
    extra="fairchem",
)
