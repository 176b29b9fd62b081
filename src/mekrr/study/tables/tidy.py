"""Tables of every fit: its errors with its choices, and its predictions."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mekrr.metrics import metrics

FIT = ["dataset", "strategy", "seed", "method", "backbone"]
NO_LAYER = -1  # stands for a missing layer while tables are joined


def read_tables(paths: Sequence[str]) -> pd.DataFrame:
    """Several CSV tables of one kind as one."""
    tables = [pd.read_csv(path) for path in paths]
    return pd.concat([t.dropna(axis="columns", how="all") for t in tables], ignore_index=True)


def all_metrics(predictions: pd.DataFrame, choices: pd.DataFrame) -> pd.DataFrame:
    """Errors (meV/atom; `metrics`) of every fit, layer and part, with its choices."""
    table = metrics(predictions.fillna({"layer": NO_LAYER}), [*FIT, "layer", "split"])
    choices = choices.fillna({"layer": NO_LAYER})
    table = table.merge(choices, on=[*FIT, "layer"], validate="many_to_one")
    layer = table["layer"].astype("Int64")
    return table.assign(layer=layer.where(layer != NO_LAYER))


def chosen_test_metrics(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table of errors that count: test frames, each fit's chosen layer."""
    return table[table["chosen"] & (table["split"] == "test")]


def transfer_metrics(predictions: pd.DataFrame, choices: pd.DataFrame) -> pd.DataFrame:
    """Errors (meV/atom; `metrics`) on a target's test frames, with the choices on the source.

    Parameters
    ----------
    predictions : of the target's test frames, with source and target in place of dataset.
    choices : of the fits on the sources; only the chosen layers are kept.
    """
    by = ["source", "target", *FIT[1:], "layer"]
    table = metrics(predictions.fillna({"layer": NO_LAYER}), by)
    chosen = choices[choices["chosen"]].fillna({"layer": NO_LAYER})
    table = table.merge(chosen.rename(columns={"dataset": "source"}), on=["source", *by[2:]])
    layer = table["layer"].astype("Int64")
    return table.assign(layer=layer.where(layer != NO_LAYER))


def chosen_test_predictions(predictions: pd.DataFrame, choices: pd.DataFrame) -> pd.DataFrame:
    """Predictions on test frames by each fit's chosen layer."""
    chosen = choices.loc[choices["chosen"], [*FIT, "layer"]].fillna({"layer": NO_LAYER})
    test = predictions[predictions["split"] == "test"].fillna({"layer": NO_LAYER})
    return test.merge(chosen, on=[*FIT, "layer"])
