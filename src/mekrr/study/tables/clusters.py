"""The table of clusters: how well they match the event, over seeds and as it is printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from mekrr.files import write_csv
from mekrr.study.job import Step
from mekrr.study.tables.printing.grid import Cell, Grid, Row
from mekrr.study.tables.printing.write import write_printed

PLACES = {  # of a score: title of its columns
    ("one run", "event"): "Event, one run",
    ("two runs", "event"): "Event, two runs joined",
    ("two runs", "run"): "Boundary, two runs joined",
}
SCORES = {"balanced_accuracy": "accuracy", "adjusted_rand_index": "Rand index"}
MIXTURES = {"K0": "K₀", "K1": "K₁"}
NOTES = (
    "Two spectral clusters of a stretch of a trajectory against the event (the collective "
    "variable beyond a threshold): balanced accuracy under the better naming of the clusters "
    "(0.5 by chance, 1 perfect) and adjusted Rand index (0 by chance, 1 perfect), mean ± "
    "standard deviation over seeds of the clustering.",
    "One run: no boundary between runs is in the stretch. Two runs joined, as in the paper's "
    "Figure 3: the end of a run followed by the beginning of another; there clusters are "
    "scored against the event, and against the run that a frame is of. Where the second "
    "score is the higher one, the clusters found the boundary and not the event; where a run "
    "ends after the event and the next begins before it, the two are nearly the same thing.",
)


def write(step: Step) -> None:
    """Write the scores of the clusters of all stretches."""
    datasets, backbones = step.params.datasets, step.params.backbones
    table = over_seeds(pd.concat(map(pd.read_csv, step.input.scores)))
    write_csv(step.output.csv, table)
    write_printed(
        step.output,
        "",
        "Clusters along the reaction against the event",
        grids(table, datasets, backbones, list(MIXTURES)),
        grids(table, datasets, backbones),
        NOTES,
    )


def over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation (ddof 1) of the scores over seeds of the clustering."""
    by = ["dataset", "backbone", "layer", "kernel", "cut", "against", "n_frames"]
    grouped = scores.groupby(by, sort=False)[list(SCORES)]
    spread = grouped.std(ddof=1).add_suffix("_std")
    counts = grouped.size().rename("n_seeds")
    return grouped.mean().join([spread, counts]).reset_index()


def grids(
    table: pd.DataFrame,
    datasets: Mapping[str, Mapping],
    backbones: Mapping[str, str],
    kernels: Sequence[str] | None = None,
) -> list[Grid]:
    """One grid per data set: layers and kernels against what the clusters are scored against.

    Parameters
    ----------
    table : as from `over_seeds`.
    datasets : registry entries, in order.
    backbones : titles, in order.
    kernels : those shown; by default the shares of single species.
    """
    made = []
    for dataset, entry in datasets.items():
        ours = table[table["dataset"] == dataset]
        shown = kernels or [k for k in dict.fromkeys(ours["kernel"]) if k not in MIXTURES]
        places = {p: t for p, t in PLACES.items() if _at(ours, p).any()}
        rows = [
            Row(
                (f"{title}, layer {layer}", MIXTURES.get(kernel, kernel)),
                tuple(
                    _cell(of[(of["kernel"] == kernel) & _at(of, place)], score)
                    for place in places
                    for score in SCORES
                ),
            )
            for backbone, title in backbones.items()
            for layer, of in ours[ours["backbone"] == backbone].groupby("layer")
            for kernel in shown
        ]
        if rows:
            title = entry.get("title", dataset)
            title += "" if kernels else ", each species' share of K₁"
            groups = tuple((name, tuple(SCORES.values())) for name in places.values())
            made.append(Grid(title, ("Features", "Kernel"), groups, tuple(rows)))
    return made


def _at(table: pd.DataFrame, place: tuple[str, str]) -> pd.Series:
    return (table["cut"] == place[0]) & (table["against"] == place[1])


def _cell(found: pd.DataFrame, score: str) -> Cell:
    if found.empty:
        return Cell()
    row = found.iloc[0]
    return Cell(f"{row[score]:.2f}", f"{row[f'{score}_std']:.2f}")
