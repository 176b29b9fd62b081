"""Seconds per frame of the embedded networks' features on one core.

`python -m benchmarks.backbones --help`, or `make bench`.
"""

from __future__ import annotations

import argparse
from itertools import product

import numpy as np
import torch
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc110

from benchmarks.gram import seconds
from mekrr import environment
from mekrr.backbones.load import load_backbone


def formate_on_copper(n_frames: int) -> list[Atoms]:
    """Frames of HCOO on Cu(110), 52 atoms, displaced at random (0.1 Å)."""
    rng = np.random.default_rng(0)
    slab = fcc110("Cu", (4, 3, 4), a=3.6, vacuum=10.0, periodic=True)
    formate = Atoms("COOH", [[0, 0, 0.7], [-1.1, 0, 0], [1.1, 0, 0], [0, 0, 1.8]])
    add_adsorbate(slab, formate, 2.0, position=slab.positions[-1, :2])
    frames = []
    for _ in range(n_frames):
        atoms = slab.copy()
        atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
        frames.append(atoms)
    return frames


def bulk_copper(n_frames: int, cells: tuple[int, int, int]) -> list[Atoms]:
    """Frames of cubic cells of 4 atoms side by side, displaced at random (0.1 Å)."""
    rng = np.random.default_rng(0)
    frames = [bulk("Cu", a=3.6, cubic=True).repeat(cells) for _ in range(n_frames)]
    for atoms in frames:
        atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
    return frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=24)
    options = parser.parse_args()
    record = environment.collect()
    print(f"{record['cpu']}, one core, torch {record['torch']}")
    torch.set_num_threads(1)
    systems = [bulk_copper(options.frames, cells) for cells in ((1, 1, 1), (3, 1, 1))]
    systems += [formate_on_copper(options.frames)]
    print(f"features of {options.frames} frames, s per frame")
    for name, family in (("sevennet-0", "sevennet"), ("chgnet-0.3.0", "chgnet")):
        backbone = load_backbone(name, family)
        for frames, batch in product(systems, (1, 2, 4, 8, 12)):

            def action(backbone=backbone, frames=frames, batch=batch) -> None:
                with torch.inference_mode():
                    for start in range(0, len(frames), batch):
                        backbone.forward(backbone.graph(frames[start : start + batch]))

            action()
            each = f"{len(frames[0])} atoms, batch {batch}"
            print(f"  {name:14s} {each}: {seconds(action, 2) / len(frames):.4f}")
        if family == "sevennet":
            backbone._steps = backbone._modules
            print(f"  {name:14s} {each}, convolutions of the package: ", end="")
            print(f"{seconds(action, 2) / len(frames):.4f}")


if __name__ == "__main__":
    main()
