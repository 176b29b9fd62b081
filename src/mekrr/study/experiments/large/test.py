"""Fits on the frames of shards: those of validation calibrate, those of test tell how good."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from mekrr.files import write_csv
from mekrr.models.sparse.data import Data
from mekrr.models.sparse.errors import Errors, errors_of
from mekrr.models.sparse.model import SparseModel
from mekrr.study.experiments.large.errors import WITHOUT_FIT, errors_by_group, of_baseline, sums_of
from mekrr.study.experiments.large.learnt import Learnt
from mekrr.study.experiments.large.model import read_fit, write_calibrated
from mekrr.study.experiments.large.shards import Shard, read_split
from mekrr.study.recipes import recipes_from


def score(step) -> None:
    """Write sums of the scores of every method on a shard's validation frames."""
    shard, learnt = Shard.open(step), Learnt.read(step.input.learnt)
    found = []
    for method, layers, model, target in _models(step, learnt):
        data = shard.data(layers, learnt, ["val"]).of(target)
        errors = errors_of(model, layers, data, data.parts[0])
        energy, slope = errors.scores
        found.append(
            {
                "method": method,
                "energy_count": len(energy),
                "energy_square": float(energy @ energy),
                "slope_count": len(slope),
                "slope_square": float(slope @ slope),
                "largest_std": errors.largest_std if len(errors.n_atoms) else 0.0,
            }
        )
    write_csv(step.output.scores, pd.DataFrame(found))


def _models(step, learnt: Learnt) -> Iterator[tuple[str, tuple[int, ...], SparseModel, int]]:
    """Yield name, layers, model and target of every method of a job."""
    recipes = recipes_from(step.params.methods)
    fitted = [method for method in recipes if method.baseline in learnt.baselines]
    for method, path in zip(fitted, step.input.models, strict=True):
        layers, model = read_fit(path)
        yield method.name, layers, model, learnt.baselines.index(method.baseline)


def calibrate(step) -> None:
    """Write a method's model file anew, with standard deviations that are right."""
    w = step.wildcards
    write_calibrated(step.output.model, step.input.fit, step.input.scores, w.method)


def test(step) -> None:
    """Write predictions of every method for a shard's test frames, and sums of their errors."""
    shard, learnt = Shard.open(step), Learnt.read(step.input.learnt)
    members = np.flatnonzero(shard.split == "test")
    undetermined = learnt.some(shard.frames).undetermined[members]
    predictions, sums = [], []

    def add(name: str, errors: Errors, data: Data) -> None:
        counts = next(iter(data.directions.values())).counts[members]
        predictions.append(shard.predictions(members, errors).assign(method=name))
        sums.append(sums_of(errors, shard.groups[members], counts).assign(method=name))

    for name, baseline in WITHOUT_FIT.items():
        if baseline in learnt.baselines:
            target = learnt.baselines.index(baseline)
            data = shard.data(shard.layers[:1], learnt, []).of(target)
            add(name, of_baseline(data, members, float(learnt.constants[target])), data)
    for name, layers, model, target in _models(step, learnt):
        data = shard.data(layers, learnt, []).of(target)
        errors = errors_of(model, layers, data, members)
        std = np.hypot(errors.energy_std, undetermined[:, target])
        add(name, replace(errors, energy_std=std), data)
    write_csv(step.output.predictions, pd.concat(predictions))
    write_csv(step.output.sums, pd.concat(sums))


def total(step) -> None:
    """Write the errors of every method by group, from the sums of all shards."""
    sums = pd.concat([pd.read_csv(path) for path in step.input.sums])
    w = step.wildcards
    names = {key: getattr(w, key) for key in ("dataset", "strategy", "seed", "size", "backbone")}
    split = read_split(step.input.split, w.size, int(w.seed))
    names["n_train"] = int(np.count_nonzero(split == "train"))
    write_csv(step.output.errors, errors_by_group(sums, names))
