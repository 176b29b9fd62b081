"""franken, by a process in its own environment.

Tables
------
As in `mekrr.study.experiments.fits`, but for

choices : method, backbone, random_features, l2_penalty, force_weight, version (of franken),
    validation_rmse (meV/atom), chosen
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pandas as pd
from ase import Atoms

from mekrr.data.frames import load_frames
from mekrr.metrics import rmse
from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import Fit, predictions
from mekrr.study.experiments.kinds import Kind
from mekrr.study.experiments.transfer import Transfer
from mekrr.study.franken.fit import Program
from mekrr.study.franken.record import Predicted


class Models(Kind):
    """franken on one backbone; fitted anew for each problem, and asked for its frames alone.

    Parameters
    ----------
    frames : those of the data set.
    program : what is run. backbone : its name in tables.

    Attributes
    ----------
    model : what was predicted for the test frames.
    """

    METHOD: ClassVar = "franken"

    def __init__(self, frames: Sequence[Atoms], program: Program, backbone: str):
        self._frames, self._program, self._backbone = frames, program, backbone

    @classmethod
    def open(cls, step) -> Models:
        log, settings = Path(step.log.franken), step.params.settings
        program = Program(settings, log, step.threads)
        return cls(load_frames(step.input.frames), program, step.wildcards.backbone)

    def fit(self, problem: Problem) -> Fit:
        index = problem.frames["index"].to_numpy()
        frames = [self._frames[k] for k in index]
        train, val, test = (
            [frames[k] for k in problem.members(part)] for part in ("train", "val", "test")
        )
        fitted = self._program.fit(train, val, frames, test)
        tested = problem.members("test")
        self.model = Predicted(index[tested], fitted.energy[tested], fitted.forces)
        residual = fitted.energy - problem.baseline
        validated = problem.members("val")
        errors = problem.errors(residual[validated], validated)
        names = {"method": self.METHOD, "backbone": self._backbone}
        found = dict(fitted.found)
        training, seconds = found.pop("training"), found.pop("prediction")
        choice = {"random_features": self._program.settings["random_features"], **found}
        choice |= {"validation_rmse": rmse(errors), "chosen": True}
        costs = {"training_seconds": training, "prediction_seconds": seconds / len(frames)}
        return Fit(
            predictions(problem, self.METHOD, self._backbone, None, residual),
            pd.DataFrame([names | choice]),
            costs=pd.DataFrame([names | costs]),
        )

    @classmethod
    def transfer(cls, step, transfers: Sequence[Transfer]) -> Iterator[pd.DataFrame]:
        raise NotImplementedError("no model of franken's is kept, so that none can be transferred")
