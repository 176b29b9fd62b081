"""Models of the energies alone as potentials."""

from __future__ import annotations

from collections.abc import Iterator

from mekrr.models.potentials.base import Potential
from mekrr.models.potentials.baseline import Baseline
from mekrr.models.potentials.constant import ConstantPotential
from mekrr.models.problem import Problem
from mekrr.study.experiments.kinds.constant import model_of
from mekrr.study.recipes import recipes_from


def potentials(step, problem: Problem) -> Iterator[tuple[str, Potential]]:
    """Yield them fitted anew."""
    for method in recipes_from(step.params.methods):
        per_atom = model_of(method.model).fit(problem, None).per_atom_
        yield method.name, ConstantPotential(Baseline(problem.references, per_atom))
