"""Predictions to the calibration of their standard deviations, and reliability curves."""

from mekrr.files import write_csv
from mekrr.study.experiments.calibration import calibration, reliability_curves
from mekrr.study.job import job
from mekrr.study.tables.tidy import FIT, chosen_test_predictions, read_tables

with job(snakemake):
    predictions = chosen_test_predictions(
        read_tables(snakemake.input.predictions), read_tables(snakemake.input.choices)
    )
    write_csv(snakemake.output.calibration, calibration(predictions, FIT))
    write_csv(snakemake.output.reliability, reliability_curves(predictions, FIT))
