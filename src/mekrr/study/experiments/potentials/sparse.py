"""Sparse models as potentials."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from mekrr.features.extract import choose_device, device_for
from mekrr.models.potentials.base import Potential
from mekrr.models.potentials.sparse import SparsePotential
from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import Fit
from mekrr.study.experiments.kinds.sparse import Models
from mekrr.study.experiments.potentials.backbones import backbone_of


def potentials(step, problem: Problem) -> Iterator[tuple[str, Potential]]:
    """Yield them, fitted anew with the choices of the fits."""
    kind = Models.open(step)
    kind.fit_again(problem, pd.concat([pd.read_csv(path) for path in step.input.choices]))
    return _potentials(step, kind, problem)


def of_fit(step, kind: Models, problem: Problem, fit: Fit) -> Iterator[tuple[str, Potential]]:
    """Yield those that a kind has just fitted."""
    return _potentials(step, kind, problem)


def _potentials(step, kind: Models, problem: Problem) -> Iterator[tuple[str, Potential]]:
    backbone = backbone_of(step, problem)
    device = device_for(backbone, choose_device())
    for recipe in kind.methods:
        if recipe.name not in kind.fitted:
            continue
        own, fitted = kind.fitted[recipe.name]
        assert own.references is not None
        potential = SparsePotential(
            backbone,
            fitted.layers,
            fitted.model,
            fitted.expected_std,
            recipe.baseline == "delta",
            own.references,
            step.params.atoms,
            device,
        )
        yield recipe.name, potential
