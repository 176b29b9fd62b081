"""The steps that train a SchNet on the set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mekrr.backbones.schnet.finetune import SchNetFromScratch
from mekrr.data.frames import load_frames
from mekrr.features.extract import choose_device
from mekrr.files import sha256, write_csv
from mekrr.models.network.fit import NetworkModel
from mekrr.models.network.loop import HISTORY, Scale, Training
from mekrr.models.network.settings import Settings
from mekrr.models.network.states import States, write_states
from mekrr.models.problem import Problem
from mekrr.study.job import Step
from mekrr.study.pretraining.parts import read_facts

RULE = "least-squares"  # references by species


def states(step: Step) -> None:
    """Write what positions alone decide of every frame."""
    network = _network(step)
    identity = {"frames": sha256(step.input.frames), "architecture": step.params.architecture}
    write_states(
        step.output.states, network, load_frames(step.input.frames), choose_device(), identity
    )


def write(step: Step) -> None:
    """Train a SchNet on its share of the training runs; goes on from its checkpoint."""
    params = step.params
    model = NetworkModel(
        _network(step),
        Settings(**params.training),
        params.seed,
        params.checkpoint,
        load_frames(step.input.frames),
        record={"architecture": params.architecture},
        most_seconds=3600.0 * params.hours,
    )
    problem = problem_of(step, params.share)
    if params.share:
        model.fit(problem, States(step.input.states))
    else:
        model.scale_, model.training_ = _untrained(problem_of(step))
    model.record = {
        **model.record,
        "references": dict(problem.references.per_species) if problem.references else {},
        "frames": int((problem.split == "train").sum()),
        "epochs": model.training_.epochs,
        "complete": model.training_.complete,
        "core_seconds": model.training_.seconds,
    }
    model.save(step.output.model)
    write_csv(step.output.history, model.training_.history)
    if model.training_.complete:
        Path(params.checkpoint).unlink(missing_ok=True)


def problem_of(step: Step, share: float = 1.0) -> Problem:
    """Return what is to be learnt of a share of the training runs.

    References by species are those of all of them, so that networks differ by what they learn.
    """
    table = read_facts(step.input.table)
    problem = Problem.of(table, table["part"].to_numpy(), RULE, step.params.title)
    runs = np.unique(table["run"][problem.split == "train"])
    order = np.random.default_rng([step.params.seed, 1]).permutation(runs)
    left_out = np.isin(table["run"], order[round(share * len(runs)) :])
    unused = left_out & (problem.split == "train")
    return replace(problem, split=np.where(unused, "unused", problem.split))


def _untrained(problem: Problem) -> tuple[Scale, Training]:
    """What stands for a training of no step: the scale that one would begin with, no history."""
    per_atom = (problem.residual / problem.n_atoms)[problem.members("train")]
    scale = Scale(float(per_atom.mean()), float(per_atom.std()) or 1.0)
    columns = [*HISTORY, "val_force_rmse", "val_loss"]
    return scale, Training(pd.DataFrame(columns=columns), 0, scale, 0, 0.0)


def _network(step: Step) -> SchNetFromScratch:
    name = getattr(step.wildcards, "network", step.params.name)
    return SchNetFromScratch(name, step.params.seed, **step.params.architecture)
