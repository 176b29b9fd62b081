"""Models of the energies alone, such as the training mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module

import pandas as pd

from mekrr.models.base import Model
from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import Fit, join, unchosen
from mekrr.study.experiments.kinds import Kind
from mekrr.study.experiments.transfer import Transfer, on_destination
from mekrr.study.recipes import Recipe, recipes_from


class Models(Kind):
    """All of them in one job: they cost nothing."""

    def __init__(self, methods: Sequence[Recipe]):
        self._methods = methods

    @classmethod
    def open(cls, step) -> Models:
        return cls(recipes_from(step.params.methods))

    def fit(self, problem: Problem) -> Fit:
        fits = []
        for method in self._methods:
            residual, _ = model_of(method.model).fit(problem, None).predict(problem, None)
            fits.append(unchosen(problem, method.name, "none", residual))
        return join(fits)

    @classmethod
    def transfer(cls, step, transfers: Sequence[Transfer]) -> Iterator[pd.DataFrame]:
        kind = cls.open(step)
        for transfer in transfers:
            yield on_destination(kind.fit(transfer.problem()).predictions)


def model_of(name: str) -> Model:
    """Make a model by the name of its class."""
    module, _, kind = name.rpartition(".")
    return getattr(import_module(module), kind)()
