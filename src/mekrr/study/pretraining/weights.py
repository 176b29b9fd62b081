"""The step that turns a trained network into the weights of a backbone, with their provenance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mekrr import environment
from mekrr.backbones.schnet.own import Record, write_own
from mekrr.files import sha256
from mekrr.models.file import read_model
from mekrr.models.network.fit import NetworkRecord
from mekrr.study.job import Step
from mekrr.study.pretraining.parts import read_facts


def write(step: Step) -> None:
    """Write the weights of the best epoch as `mekrr.backbones.schnet.own` reads them."""
    params = step.params
    tensors, record = read_model(step.input.model, NetworkRecord)
    extra = record.model_extra or {}
    history = pd.read_csv(step.input.history)
    table = read_facts(step.input.table)
    best = history[history["epoch"] == record.epoch]  # none of random weights
    provenance = {
        "title": params.title,
        "labels": params.backbone,
        "licence": params.licence,
        "frames": {"all": len(table), "training": extra["frames"]},
        "set_sha256": sha256(step.input.frames),
        "epochs": extra["epochs"],
        "complete": extra["complete"],
        "best_epoch": record.epoch,
        "core_hours": round(extra["core_seconds"] / 3600, 2),
        "validation": {
            "energy RMSE (meV/atom)": best["val_rmse"].round(2).tolist(),
            "force RMSE (meV/Å)": best["val_force_rmse"].round(1).tolist(),
        },
        "made_by": environment.collect(),
    }
    shift = record.scale.shift  # the same for each atom
    references = {symbol: energy + shift for symbol, energy in extra["references"].items()}
    write_own(
        step.output.weights,
        {name: np.array(tensor) for name, tensor in tensors.items()},
        Record(
            architecture=params.architecture,
            factor=record.scale.factor,
            references=references,
            provenance=provenance,
        ),
    )
