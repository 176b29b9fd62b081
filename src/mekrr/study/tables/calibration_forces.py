"""The same as `mekrr.study.tables.calibration`, of forces."""

from __future__ import annotations

from mekrr.files import write_csv
from mekrr.study.experiments.calibration import calibration, of_slopes, reliability_curves
from mekrr.study.experiments.slopes import COLUMNS
from mekrr.study.job import Step
from mekrr.study.tables.tidy import FIT, read_tables


def write(step: Step) -> None:
    """Write how right the predicted standard deviations of forces along directions are."""
    columns = dict.fromkeys([*FIT, *COLUMNS])  # where there are no forces there is none
    errors = of_slopes(read_tables(step.input.slopes).reindex(columns=list(columns)))
    write_csv(step.output.calibration, calibration(errors, FIT, "n_directions"))
    write_csv(step.output.reliability, reliability_curves(errors, FIT))
