"""Reliability of predicted standard deviations of forces on test frames."""

from __future__ import annotations

from matplotlib.figure import Figure

from mekrr.study.job import Step
from mekrr.study.plots.calibration import METHODS, draw
from mekrr.study.plots.grids import nothing
from mekrr.study.tables.tidy import read_tables

SHOWN = (*METHODS[:-1], "Delta-MEKRR-sparse", METHODS[-1])  # without and with forces learnt


def figures(step: Step) -> dict[str, Figure]:
    """Return the figure of a step of the study."""
    curves, table = (
        read_tables([path]) for path in (step.input.reliability, step.input.calibration)
    )
    if table.empty:
        return {"figure": nothing("Calibration of forces: no data")}
    known = set(table["backbone"])
    backbones = {name: title for name, title in step.params.backbones.items() if name in known}
    return {"figure": draw(curves, table, step.params.datasets, backbones, SHOWN)}
