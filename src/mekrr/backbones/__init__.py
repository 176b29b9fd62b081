"""Pre-trained networks behind one contract, one adapter per model family."""

from __future__ import annotations

from importlib import import_module

from mekrr.backbones.base import Backbone
from mekrr.errors import BackboneError

# Imported on demand: each family's library takes seconds to import.
ADAPTERS = {
    "analytic": ("mekrr.backbones.analytic", "AnalyticBackbone"),
    "chgnet": ("mekrr.backbones.chgnet", "CHGNetBackbone"),
    "sevennet": ("mekrr.backbones.sevennet", "SevenNet"),
}


def load_backbone(name: str, family: str) -> Backbone:
    """Backbone ``name`` through the adapter of its ``family``, on the CPU."""
    if family not in ADAPTERS:
        raise BackboneError(
            f"backbone {name!r}: unknown family {family!r}; known: {', '.join(sorted(ADAPTERS))}"
        )
    module, adapter = ADAPTERS[family]
    return getattr(import_module(module), adapter)(name)
