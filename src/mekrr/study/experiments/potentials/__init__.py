"""What the study has fitted as potentials, a module for each kind of models.

Apart from the kinds themselves: fits neither need nor depend on what differentiates. Imported by
name, so that what decides the forces of one kind is not what decides another's.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import Fit
from mekrr.study.experiments.kinds import Kind

if TYPE_CHECKING:
    from mekrr.models.potentials.base import Potential

    Named = Iterator[tuple[str, Potential]]  # with the names of their methods


def potentials(kind: str, step, problem: Problem) -> Named:
    """Yield what has been fitted to a problem of a data set as potentials.

    Parameters
    ----------
    kind : see `mekrr.study.experiments.kinds`.
    step : as Snakemake describes it to its script. Its inputs are what the fits have written,
        their choices or their model, and what these need beside.
    problem : all frames of the data set, with the references of the fits.
    """
    return _module(kind).potentials(step, problem)


def of_fit(step, kind: Kind, problem: Problem, fit: Fit) -> Named:
    """Yield what a kind, opened on a step, has just fitted to a problem, as potentials."""
    return _module(step.params.kind).of_fit(step, kind, problem, fit)


def _module(kind: str):
    return import_module(f"{__name__}.{kind}")
