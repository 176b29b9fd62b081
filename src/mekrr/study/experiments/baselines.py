"""What is known of energies beforehand, on a backbone."""

from __future__ import annotations

import numpy as np

from mekrr.data.references import Rule
from mekrr.models.problem import Problem


def by_baseline(
    problem: Problem, energy: np.ndarray | None, rule: Rule, source: str
) -> dict[str, Problem]:
    """Return a problem beyond each baseline, see `mekrr.study.recipes.Recipe`.

    ``energy`` (n_frames,) in eV is the backbone's own; None, and there are references only.
    """
    problems = {"references": problem}
    if energy is not None:
        problems["network"] = problem.beyond_network(energy)
        problems["delta"] = problem.beyond(energy, rule, source)
    return problems
