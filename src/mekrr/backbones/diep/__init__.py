"""DIEP: features."""

from mekrr.backbones.families import Family

FAMILY = Family(
    adapter="mekrr.backbones.diep.adapter:DIEP",
    extra="diep",
)
