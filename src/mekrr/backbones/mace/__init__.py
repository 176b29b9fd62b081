"""MACE: features. Its library needs an environment of its own."""

from mekrr.backbones.families import Family

FAMILY = Family(
    adapter="mekrr.backbones.mace.adapter:MACE",
    weights="needed",
    environment="mace",
)
