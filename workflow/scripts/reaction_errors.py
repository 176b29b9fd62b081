"""Test predictions to errors in steps of the collective variable."""

import pandas as pd

from mekrr.data.variables import label
from mekrr.files import write_csv
from mekrr.study.experiments.reaction import errors_along
from mekrr.study.job import job
from mekrr.study.tables.tidy import chosen_test_predictions, read_tables

with job(snakemake):
    predictions = chosen_test_predictions(
        read_tables(snakemake.input.predictions), read_tables(snakemake.input.choices)
    )
    variable = pd.read_csv(snakemake.input.variables)[label(snakemake.params.variable)]
    write_csv(snakemake.output.errors, errors_along(predictions, variable.to_numpy()))
