"""SOAP vectors: features without a network."""

from mekrr.backbones.families import Family

FAMILY = Family(
    adapter="mekrr.backbones.soap.adapter:SOAP",
    extra="soap",
)
