"""The table of the frames that each fit gets most wrong."""

from __future__ import annotations

import pandas as pd

from mekrr.files import write_csv
from mekrr.metrics import largest_errors
from mekrr.study.job import Step
from mekrr.study.methods import REFERENCES, label
from mekrr.study.tables.printing.write import write_listing
from mekrr.study.tables.tidy import FIT, NO_LAYER, chosen_test_predictions, read_tables

TITLE = "Largest errors on test frames"
NOTES = (
    "Per fit, the test frames with the largest error of the total energy per atom. Frame is "
    "the source's own number. A kernel cannot extrapolate: a lone frame far from all training "
    "frames dominates the RMSE of its seed while the MAE hardly moves.",
)


def write(step: Step) -> None:
    """Write the test frames that each fit gets most wrong."""
    predictions, choices = read_tables(step.input.predictions), read_tables(step.input.choices)
    table = worst_frames(predictions, choices, step.params.n_frames)
    write_csv(step.output.csv, table)
    write_listing(step.output, readable(table), TITLE, NOTES)


def worst_frames(predictions: pd.DataFrame, choices: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the ``count`` worst test frames of each fitted method, on the layer it chose."""
    table = chosen_test_predictions(predictions, choices)
    table = largest_errors(table[~table["method"].isin(REFERENCES)], FIT, count)
    layer = table["layer"].astype("Int64")
    table = table.assign(layer=layer.where(layer != NO_LAYER))
    return table[[*FIT, "layer", "index", "frame", "n_atoms", "energy_ref", "energy_pred", "error"]]


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return one line per fit: its worst frames and their signed errors."""
    rows = []
    for key, group in table.groupby(FIT, sort=False):
        dataset, strategy, seed, method, backbone = key
        rows.append(
            {
                "Data set": dataset,
                "Split": strategy,
                "Seed": str(seed),
                "Method": label(method),
                "Backbone": "" if backbone == "none" else backbone,
                "Frame (error in meV/atom)": ", ".join(
                    f"{f} ({e:+.1f})" for f, e in zip(group["frame"], group["error"], strict=True)
                ),
            }
        )
    return pd.DataFrame(rows)
