"""Constants per atom, from the energies alone."""

from __future__ import annotations

from typing import ClassVar

import pandas as pd

from mekrr.models.constant import Constant
from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import Fit, unchosen
from mekrr.study.experiments.kinds import Kind
from mekrr.study.experiments.transfer import Transfer, tested


class Models(Kind):
    """The training mean."""

    METHOD: ClassVar = "training mean"

    @classmethod
    def open(cls, step) -> Models:
        return cls()

    def fit(self, problem: Problem) -> Fit:
        self.model = Constant().fit(problem)
        return unchosen(problem, self.METHOD, "none", self.model.predict(problem)[0])

    @classmethod
    def transfer(cls, step, transfer: Transfer) -> pd.DataFrame:
        return tested(cls().fit(transfer.problem()).predictions)
