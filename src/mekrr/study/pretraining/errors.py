"""The step that tests a network that was trained on the set, on what it saw and what not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mekrr.backbones.schnet.adapter import SchNet
from mekrr.data.frames import load_frames
from mekrr.files import write_csv
from mekrr.metrics import mae, rmse
from mekrr.models.potentials.backbone import BackbonePotential
from mekrr.models.potentials.baseline import Baseline
from mekrr.models.potentials.frames import evaluate_frames
from mekrr.models.sparse.sample import evenly
from mekrr.study.job import Step
from mekrr.study.pretraining.parts import PARTS, read_facts
from mekrr.study.pretraining.train import problem_of

MOST = 1000  # frames of a part, evenly spread


def write(step: Step) -> None:
    """Write errors of energies and forces for each part, beside those of knowing nothing."""
    table = read_facts(step.input.table)
    frames = load_frames(step.input.frames)
    network = SchNet(step.wildcards.network, step.input.weights)
    potential = BackbonePotential(network, Baseline())
    composition = problem_of(step).baseline
    rows = []
    for part, title in PARTS.items():
        members = np.flatnonzero(table["part"] == part)
        if len(members) == 0:
            continue
        members = members[evenly(len(members), MOST)]
        found = evaluate_frames(potential, [frames[k] for k in members], threads=step.threads)
        known = table.iloc[members]
        forces = np.concatenate([frames[k].get_forces() for k in members])
        predicted = np.concatenate([each.forces for each in found])
        energy = np.array([each.energy for each in found])
        rows.append(
            {
                "part": title,
                "frames": len(members),
                **_of("energy", 1000 * (energy - known["energy"]) / known["n_atoms"]),
                **_of(
                    "composition",
                    1000 * (composition[members] - known["energy"]) / known["n_atoms"],
                ),
                **_of("force", 1000 * (predicted - forces)),
                **_of("zero_force", 1000 * forces),
            }
        )
    write_csv(step.output.errors, pd.DataFrame(rows).assign(network=step.wildcards.network))


def _of(name: str, errors: np.ndarray) -> dict[str, float]:
    return {f"{name}_mae": mae(np.asarray(errors)), f"{name}_rmse": rmse(np.asarray(errors))}
