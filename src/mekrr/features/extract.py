"""Running frames through a backbone, all layers in one forward pass."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms

from mekrr.backbones.base import Backbone
from mekrr.progress import progress_bar

log = logging.getLogger(__name__)


def choose_device() -> torch.device:
    """CUDA if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def extract(
    backbone: Backbone, frames: Sequence[Atoms], batch_size: int, device: torch.device
) -> tuple[dict[int, np.ndarray], np.ndarray | None]:
    """Features of all layers for all frames, and the network's own energies.

    Parameters
    ----------
    batch_size : frames per forward pass.
    device : where to compute; the result lies in main memory.

    Returns
    -------
    layers : dict from layer to (n_atoms, d) float32, atoms frame after frame.
    energy : (n_frames,) float64 in eV, or None if the network predicts none.
    """
    backbone.to(device)
    log.info("features of %d frames with %s on %s", len(frames), backbone.name, device)
    layers: dict[int, list[np.ndarray]] = {layer: [] for layer in backbone.layers}
    energies: list[np.ndarray] = []
    with torch.inference_mode(), progress_bar(len(frames), backbone.name, "frames") as bar:
        for start in range(0, len(frames), batch_size):
            batch = frames[start : start + batch_size]
            output = backbone.forward(backbone.graph(batch).to(device))
            for layer, features in output.layers.items():
                layers[layer].append(features.float().cpu().numpy())
            if output.energy is not None:
                energies.append(output.energy.double().cpu().numpy())
            bar.update(len(batch))
    return (
        {layer: np.concatenate(parts) for layer, parts in layers.items()},
        np.concatenate(energies) if energies else None,
    )
