"""The kinds of models that the study fits, a module each: what it needs, fits and predicts.

A job opens a kind on its input files. The kind fits its methods to a problem, all frames of the
data set or fewer for training, and predicts the frames of a transfer's destination; neither the
experiments nor the rules know more of it. Imported by name, so that what decides one kind's
results is not what decides another's.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from importlib import import_module

import pandas as pd

from mekrr.models.base import Model
from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import Fit
from mekrr.study.experiments.transfer import Transfer


def kind_of(name: str) -> type[Kind]:
    """Return the class of a kind by its name, that of its module."""
    return import_module(f"{__name__}.{name}").Models


class Kind(abc.ABC):
    """Methods of one kind on one data set.

    Attributes
    ----------
    model : the one fitted last, where a kind has one method whose model has a file.
    """

    model: Model | None = None

    @classmethod
    @abc.abstractmethod
    def open(cls, step) -> Kind:
        """Open the input files of a step, as Snakemake describes it to its script."""

    @abc.abstractmethod
    def fit(self, problem: Problem) -> Fit:
        """Fit all methods to the training frames of a problem of the data set."""

    @classmethod
    @abc.abstractmethod
    def transfer(cls, step, transfers: Sequence[Transfer]) -> Iterator[pd.DataFrame]:
        """Yield the predictions on the destination's test frames, by fits on the origin.

        One of each transfer; they differ in their splits. The step has a fit for each.
        """

    def close(self) -> None:
        """Remove what an interrupted step would have gone on from: all is written."""
        return
