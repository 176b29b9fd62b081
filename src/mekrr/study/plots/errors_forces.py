"""Test error of the forces of every method, seed by seed."""

from __future__ import annotations

from matplotlib.figure import Figure

from mekrr.study.job import Step
from mekrr.study.plots.errors import draw
from mekrr.study.plots.grids import nothing
from mekrr.study.tables.forces import SHOWN, read_force_errors


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    table = read_force_errors(step.input.forces)
    if table is None:
        return {"figure": nothing("Errors of forces: no data")}
    table = table.rename(columns={error: name.lower() for error, name in SHOWN.items()})
    return {"figure": draw(table, step.params.datasets, step.params.backbones, "meV/Å")}
