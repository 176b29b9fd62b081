"""Tables of every fit: its errors with its choices, and the frames that are worst."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mekrr.metrics import largest_errors, metrics
from mekrr.study.methods import REFERENCES, label
from mekrr.study.tables.printing.grid import flat
from mekrr.study.tables.printing.markdown import markdown
from mekrr.study.tables.printing.page import page

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


def worst_frames(predictions: pd.DataFrame, choices: pd.DataFrame, count: int) -> pd.DataFrame:
    """The ``count`` worst test frames of each fitted method, on the layer it chose."""
    table = chosen_test_predictions(predictions, choices)
    table = largest_errors(table[~table["method"].isin(REFERENCES)], FIT, count)
    layer = table["layer"].astype("Int64")
    table = table.assign(layer=layer.where(layer != NO_LAYER))
    return table[[*FIT, "layer", "index", "frame", "n_atoms", "energy_ref", "energy_pred", "error"]]


def readable_worst(table: pd.DataFrame) -> pd.DataFrame:
    """One line per fit: its worst frames and their signed errors."""
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


def to_markdown(table: pd.DataFrame, title: str, notes: Sequence[str]) -> str:
    """A heading, a table of texts, and its notes."""
    return markdown(title, [flat(table)], notes)


def to_html(table: pd.DataFrame, title: str, notes: Sequence[str]) -> str:
    """The same as a page of its own that loads nothing from elsewhere."""
    return page(title, [flat(table)], notes)
