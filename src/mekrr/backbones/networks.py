"""Networks by their entries in the registry."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mekrr.backbones.imports import import_adapter
from mekrr.backbones.network import Network
from mekrr.torch_settings import own_torch_settings

# Imported on demand: each family's library takes seconds to import.
FINE_TUNED = {
    "chgnet": ("mekrr.backbones.chgnet.finetune", "FineTunedCHGNet"),
    "schnet": ("mekrr.backbones.schnet.finetune", "FineTunedSchNet"),
    "sevennet": ("mekrr.backbones.sevennet.finetune", "FineTunedSevenNet"),
}


@own_torch_settings()
def load_network(
    name: str,
    entry: Mapping,
    backbone: Mapping | None = None,
    weights: str | os.PathLike | None = None,
    seed: int = 0,
) -> Network:
    """A network as it is before training, on the CPU.

    Parameters
    ----------
    entry : of the registry of networks.
    backbone : entry of the backbone that it starts with, None if from scratch.
    weights : file of the backbone's weights, None if they are inside a package.
    seed : of random weights.

    Raises
    ------
    ConfigError
        If no layer is left to train.
    BackboneError
        If the weights cannot be read.
    """
    if backbone is None:
        from mekrr.backbones.schnet.finetune import SchNetFromScratch

        return SchNetFromScratch(name, seed, **entry["architecture"])
    options = backbone.get("options", {}) | ({} if weights is None else {"weights": weights})
    make = import_adapter(*FINE_TUNED[backbone["family"]])
    return make(name, entry["start"], entry["frozen"], **options)
