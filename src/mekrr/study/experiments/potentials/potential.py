"""GAP-SOAP as a potential."""

from __future__ import annotations

from collections.abc import Iterator

from mekrr.models.gap import GapFile
from mekrr.models.potentials.base import Potential
from mekrr.models.potentials.baseline import Baseline
from mekrr.models.potentials.gap import GapPotential
from mekrr.models.problem import Problem
from mekrr.study.experiments.kinds.potential import method_of


def potentials(step, problem: Problem) -> Iterator[tuple[str, Potential]]:
    """Yield the one that gap_fit has written."""
    yield method_of(step), GapPotential(GapFile(step.input.model), Baseline(problem.references))
