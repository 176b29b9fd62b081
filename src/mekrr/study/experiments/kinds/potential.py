"""Potentials, from the frames themselves."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pandas as pd
from ase import Atoms

from mekrr.data.frames import load_frames
from mekrr.models.gap import Gap, GapMissing
from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import Fit, predictions, unchosen
from mekrr.study.experiments.kinds import Kind
from mekrr.study.experiments.transfer import Transfer, on_destination
from mekrr.study.recipes import recipes_from


class Models(Kind):
    """GAP-SOAP, fitted to the frames themselves, as one method.

    It predicts no training frames: that would take longer than the fit, and no table shows them.
    """

    def __init__(self, frames: Sequence[Atoms], model: Gap, method: str):
        self._frames, self.model, self._method = frames, model, method

    @classmethod
    def open(cls, step) -> Models:
        settings, seed = step.params.settings, int(step.wildcards.seed)
        model = Gap(settings, seed, step.log.gap_fit, step.threads)
        return cls(load_frames(step.input.frames), model, method_of(step))

    def fit(self, problem: Problem) -> Fit:
        try:
            self.model.fit(problem, self._frames)
        except GapMissing as error:
            raise GapMissing(f"{error}; or leave {self._method} out (study.gap: false)") from error
        asked = problem.part("val", "test")
        begin = time.process_time()
        residual, _ = self.model.predict(asked, frames_of(asked, self._frames))
        seconds = (time.process_time() - begin) / len(asked.split)
        fit = unchosen(asked, self._method, "none", residual)
        cost = {"method": self._method, "backbone": "none", "prediction_seconds": seconds}
        return Fit(fit.predictions, fit.choices, costs=pd.DataFrame([cost]))

    @classmethod
    def transfer(cls, step, transfers: Sequence[Transfer]) -> Iterator[pd.DataFrame]:
        frames, method = load_frames(step.input.frames), method_of(step)
        for transfer, model in zip(transfers, step.input.models, strict=True):
            problem = transfer.problem().part("test")
            residual, _ = Gap.load(model).predict(problem, frames_of(problem, frames))
            yield on_destination(predictions(problem, method, "none", None, residual))


def method_of(step) -> str:
    """Return the name of the one method of a step."""
    (recipe,) = recipes_from(step.params.methods)
    return recipe.name


def frames_of(problem: Problem, frames: Sequence[Atoms]) -> list[Atoms]:
    """Return the frames of a problem, of all that its data set has."""
    return [frames[index] for index in problem.frames["index"]]
