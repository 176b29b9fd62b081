"""Every backbone adapter: what the contract, on the CPU and on a GPU, is tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from checkpoints import esen_checkpoint, schnet_checkpoint, uma_checkpoint

from mekrr.backbones.base import Backbone
from mekrr.backbones.load import load_backbone


@dataclass(frozen=True)
class Adapter:
    """A backbone to load: `write` makes a file of random weights where no package has any."""

    family: str
    widths: dict[int, int]  # of its layers
    options: dict[str, object] = field(default_factory=dict)
    write: Callable[[Path], object] | None = None


SCHNET = dict.fromkeys((1, 2, 3), 24)
SEVENNET = dict.fromkeys((0, 1, 2, 3, 4), 128)
ADAPTERS = {
    "analytic": Adapter("analytic", {1: 16, 2: 16}),
    "chgnet-0.3.0": Adapter("chgnet", dict.fromkeys((1, 2, 3, 4), 64)),
    "diep": Adapter("diep", dict.fromkeys((1, 2, 3), 64)),
    "esen": Adapter("fairchem", {1: 16, 2: 16}, write=esen_checkpoint),
    "schnet": Adapter("schnet", SCHNET, write=schnet_checkpoint),
    "schnet-exact": Adapter("schnet", SCHNET, {"exact": True}, write=schnet_checkpoint),
    "sevennet-0": Adapter("sevennet", SEVENNET),
    "sevennet-l3i5": Adapter("sevennet", SEVENNET, {"checkpoint": "7net-l3i5"}),
    "soap": Adapter("soap", {1: 4662}, {"species": ["Cu", "C", "O"]}),
    "uma": Adapter("fairchem", {1: 16, 2: 16}, {"task": "oc20"}, write=uma_checkpoint),
}


def load_adapter(name: str, folder: Path) -> Backbone:
    """A backbone of ADAPTERS anew; ``folder`` keeps the files of random weights."""
    adapter = ADAPTERS[name]
    weights = None
    if adapter.write is not None:
        weights = folder / f"{adapter.write.__name__}.pt"
        if not weights.exists():
            adapter.write(weights)
    return load_backbone(name, adapter.family, adapter.options, weights)
