"""The table of calibration, and reliability curves."""

from __future__ import annotations

from mekrr.files import write_csv
from mekrr.study.experiments.calibration import calibration, of_energies, reliability_curves
from mekrr.study.job import Step
from mekrr.study.tables.tidy import FIT, chosen_test_predictions, read_tables


def write(step: Step) -> None:
    """Write how right the predicted standard deviations are."""
    errors = of_energies(
        chosen_test_predictions(
            read_tables(step.input.predictions), read_tables(step.input.choices)
        )
    )
    write_csv(step.output.calibration, calibration(errors, FIT, "n_frames"))
    write_csv(step.output.reliability, reliability_curves(errors, FIT))
