"""Test predictions to errors in steps of the collective variable."""

import pandas as pd

from mekrr.files import write_csv
from mekrr.job import job
from mekrr.reaction import errors_along
from mekrr.tables import chosen_test_predictions, read_tables
from mekrr.variables import label

with job(snakemake):
    predictions = chosen_test_predictions(
        read_tables(snakemake.input.predictions), read_tables(snakemake.input.choices)
    )
    variable = pd.read_csv(snakemake.input.variables)[label(snakemake.params.variable)]
    write_csv(snakemake.output.errors, errors_along(predictions, variable.to_numpy()))
