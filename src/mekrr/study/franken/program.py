"""Fit by franken's own search, and predict: `python program.py FOLDER`, in its environment.

Of this package it imports nothing, so that the environment need not hold it.

In the folder
-------------
settings.json : checkpoint (of those inside the package sevenn), random_features, threads
train.extxyz, val.extxyz : frames with energies in eV and forces in eV/Å
frames.extxyz, forces.extxyz : frames of which energies, or energies and forces are predicted
predicted.npz : written; energy (n_frames,) of the former, forces (n, 3) of the latter's atoms
found.json : written; franken's version, what was chosen (l2_penalty, force_weight), and seconds
    of the processor (training, prediction)
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

CHECKPOINTS = {
    "7net-0": "SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth",
    "7net-l3i5": "SevenNet_l3i5/checkpoint_l3i5.pth",
}
CHOSEN = ("l2_penalty", "force_weight")


def checkpoint(name: str) -> Path:
    """Return the file of weights inside the package sevenn."""
    from sevenn import pretrained_potentials

    return Path(next(iter(pretrained_potentials.__path__))) / CHECKPOINTS[name]


def search(folder: Path, settings: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """Let franken choose by its own grids and criterion; return its model's file and its choice.

    Only validation frames are evaluated: errors of training frames would choose nothing.
    """
    from franken.autotune.cli import parse_cli
    from franken.autotune.script import autotune

    options = {
        "--train-path": folder / "train.extxyz",
        "--val-path": folder / "val.extxyz",
        "--backbone": "sevenn",
        "--sevenn.path-or-id": checkpoint(settings["checkpoint"]),
        "--rf": "ms-gaussian",
        "--ms-gaussian.num-rf": settings["random_features"],
        "--run-dir": folder,
    }
    given = parse_cli([str(word) for option in options.items() for word in option])
    given.eval_splits = ["val"]
    run = autotune(given)
    solver = json.loads((run / "best.json").read_text())["hyperparameters"]["solver"]
    return run / "best_ckpt.pt", {name: solver[name] for name in CHOSEN}


def predict(folder: Path, model: Path) -> float:
    """Write predictions by a model's file, which was just written here; return their seconds."""
    import ase.io
    import numpy as np
    from franken.calculators import FrankenCalculator
    from franken.rf.model import FrankenPotential

    calculator = FrankenCalculator(FrankenPotential.load(model))
    begin = time.process_time()
    energy = [
        calculator.get_property("energy", atoms)
        for atoms in ase.io.iread(folder / "frames.extxyz", index=":")
    ]
    forces = [
        calculator.get_property("forces", atoms)
        for atoms in ase.io.iread(folder / "forces.extxyz", index=":")
    ]
    seconds = time.process_time() - begin
    rows = np.concatenate([np.empty((0, 3)), *forces])
    np.savez(folder / "predicted.npz", energy=np.array(energy, dtype=float), forces=rows)
    return seconds


def main(path: str) -> None:
    """Fit and predict in a folder."""
    import torch

    folder = Path(path)
    settings = json.loads((folder / "settings.json").read_text())
    torch.set_num_threads(settings["threads"])
    begin = time.process_time()
    model, found = search(folder, settings)
    found |= {"version": version("franken")}
    found |= {"training": time.process_time() - begin, "prediction": predict(folder, model)}
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
