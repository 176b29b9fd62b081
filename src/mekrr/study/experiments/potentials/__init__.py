"""What the study has fitted as potentials, a module for each kind of models.

Apart from the kinds themselves: fits neither need nor depend on what differentiates. Imported by
name, so that what decides the forces of one kind is not what decides another's.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from mekrr.models.potentials.base import Potential
from mekrr.models.problem import Problem


def potentials(kind: str, step, problem: Problem) -> Iterator[tuple[str, Potential]]:
    """Yield what has been fitted to a problem of a data set, by its method, as potentials.

    Parameters
    ----------
    kind : see `mekrr.study.experiments.kinds`.
    step : as Snakemake describes it to its script. Its inputs are what the fits have written,
        their choices or their model, and what these need beside.
    problem : all frames of the data set, with the references of the fits.
    """
    return import_module(f"{__name__}.{kind}").potentials(step, problem)
