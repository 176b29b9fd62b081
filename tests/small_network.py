"""A network from scratch that trains in a second."""

from __future__ import annotations

from mekrr.backbones.schnet.finetune import SchNetFromScratch
from mekrr.models.network.settings import Settings

SETTINGS = Settings(
    epochs=6,
    least_steps=0,
    validate_every=1,
    patience=100,
    batch_size=2,
    lr=1e-3,
    schedule="cosine",
    amsgrad=False,
    weight_decay=0.0,
    average=0.9,
    clip=10.0,
    shuffle=True,
    force_weight=0.0,
)
SMALL = {
    "hidden_channels": 16,
    "num_filters": 8,
    "num_interactions": 2,
    "num_gaussians": 20,
    "cutoff": 4.0,
}


def scratch(seed: int = 0) -> SchNetFromScratch:
    """With random weights."""
    return SchNetFromScratch("small", seed, **SMALL)
