"""The table of what each method costs, as it is printed."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mekrr.files import write_csv
from mekrr.study.experiments.timing import costs, read_steps
from mekrr.study.job import Step
from mekrr.study.methods import ORDER, label
from mekrr.study.tables.comparison import backbone_title
from mekrr.study.tables.printing.grid import Cell, Grid, Row
from mekrr.study.tables.printing.write import write_printed
from mekrr.study.tables.tidy import FIT, read_tables

NOTES = (
    "Wall time of whole jobs as they ran, their start-up (seconds) included, mean over splits "
    "and seeds. Training: features, their derivatives and kernels of the training and "
    "validation frames, as far as a method needs these, and the fit; the methods of one family "
    "are fitted in one job, which each of them carries in full. "
    "Prediction: features and kernels of one frame. Trained networks: their frozen layers are "
    "features, computed once; prediction is these and the trained layers. The time of trained "
    "layers and of GAP-SOAP's predictions is the processor's, and not counted as training. "
    "Memory: the largest of any of these jobs.",
)


def write(step: Step) -> None:
    """Write training and prediction time of every method, beside its test error."""
    params, predictions = step.params, list(step.input.predictions)
    table = costs(
        read_steps(step.input.benchmarks, params.jobs),
        read_tables([step.input.metrics]),
        params.names,
        read_tables(predictions)
        if predictions
        else pd.DataFrame(columns=[*FIT, "prediction_seconds"]),
    )
    titles = {name: entry.get("title", name) for name, entry in params.datasets.items()}
    write_csv(step.output.csv, table)
    write_printed(
        step.output,
        "",
        "Cost of training and prediction",
        [grid(table, titles, params.backbones)],
        [],
        NOTES,
    )


def grid(table: pd.DataFrame, datasets: Mapping[str, str], backbones: Mapping[str, str]) -> Grid:
    """Costs as printed: means over splits and seeds.

    Parameters
    ----------
    table : as from `costs`.
    datasets, backbones : titles, in order.
    """
    means = table.groupby(["dataset", "method", "backbone"])[["training", "prediction", "memory"]]
    means = means.mean().to_dict("index")
    heads = ("training (s)", "prediction (ms/frame)", "memory (MB)")
    rows = []
    for method in ORDER:
        found = set(table.loc[table["method"] == method, "backbone"])
        for backbone in (*(b for b in backbones if b in found), *sorted(found - set(backbones))):
            cells = []
            for dataset in datasets:
                mean = means.get((dataset, method, backbone))
                cells += [Cell()] * len(heads) if mean is None else _cells(mean)
            rows.append(Row((label(method), backbone_title(backbone, backbones)), tuple(cells)))
    groups = tuple((title, heads) for title in datasets.values())
    return Grid("", ("Method", "Backbone"), groups, tuple(rows))


def _cells(mean: Mapping[str, float]) -> list[Cell]:
    values = (mean["training"], 1000.0 * mean["prediction"], mean["memory"])
    return [
        Cell() if pd.isna(value) else Cell(f"{value:.3g}" if value < 100 else f"{value:.0f}")
        for value in values
    ]
