"""An analytic backbone without weights."""

from mekrr.backbones.families import Family

FAMILY = Family(
    adapter="mekrr.backbones.analytic.adapter:AnalyticBackbone",
    energy=False,
)
