"""What README and the site take from a study: tables as texts, and what was run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd
import yaml

from mekrr.files import atomic_path, write_csv
from mekrr.study.job import Step
from mekrr.study.tables import clusters
from mekrr.study.tables.comparison import (
    METRICS,
    SHIFTED,
    Place,
    comparisons,
    dataset_places,
    transfer_places,
)
from mekrr.study.tables.forces import SHOWN, compared
from mekrr.study.tables.printing.escapes import for_markdown
from mekrr.study.tables.printing.grid import MISSING, shown
from mekrr.study.tables.provenance import RAN, STUDY, facts
from mekrr.study.tables.verdict import answers

FIT = {"strategy": str, "method": str, "backbone": str}
ACROSS = ("rmse", "rmse_shifted")
WEIGHED = "MEKRR-alpha"  # the method whose α is chosen by validation frames
READING = (
    "Test RMSE of energies in meV/atom, mean ± standard deviation over seeds; networks trained for "
    "seconds. MEKRR is MEKRR-α or Δ-MEKRR, by the error on validation frames. “Better”: the 95 % "
    "interval of the difference leaves out zero; with three seeds only steady ones pass."
)


def write(step: Step) -> None:
    """Write a table for each kind of error and way of splitting, and the record of the run."""
    given, params, made = step.input, step.params, step.output
    within = pd.read_csv(given.same_dataset, dtype=FIT).rename(columns={"dataset": "place"})
    across = pd.read_csv(given.transfer, dtype=FIT).rename(columns={"transfer": "place"})
    within, across = (table[table["strategy"].notna()] for table in (within, across))
    datasets = dataset_places(params.datasets)
    pairs = transfer_places(params.pairs, params.datasets)
    kinds = {
        "same_dataset": (within, datasets, ["rmse"]),
        "forces": (compared(within), datasets, ["force_rmse"]),
        "transfer": (across, pairs, ACROSS),
    }
    numbers = cost(params.benchmarks)
    for path in made.tables:
        kind, strategy = Path(path).stem.split(".")[-2:]
        if kind == "alphas":
            write_csv(path, alphas(within, strategy, datasets, params.backbones))
            continue
        table, places, errors = kinds[kind]
        block = table[table["strategy"] == strategy]
        first, *shifted = (printed(block, places, params.backbones, error) for error in errors)
        write_csv(path, with_shifted(first, *shifted) if shifted else first)
    for scores, path in zip(given.clusters, made.clusters, strict=True):
        write_csv(path, clustered(pd.read_csv(scores), params.datasets, params.backbones))
    verdict = answers(pd.read_csv(given.verdict))
    csv, markdown = made.verdict
    write_csv(csv, verdict)
    with atomic_path(markdown) as temporary:
        body = verdict.drop(columns=["Untouched network", "which is"]).map(for_markdown)
        text = body.to_markdown(index=False, disable_numparse=True)
        temporary.write_text(f"{text}\n\n{READING}\n", encoding="utf-8")
    run = described(pd.read_csv(given.provenance), params.command)
    with atomic_path(made.record) as temporary:
        text = yaml.safe_dump({"run": run, "numbers": numbers}, allow_unicode=True, sort_keys=False)
        temporary.write_text(text, encoding="utf-8")


def printed(
    table: pd.DataFrame, places: Mapping[str, Place], backbones: Mapping[str, str], error: str
) -> pd.DataFrame:
    """Return one error of every method (rows) in every place (columns), as it is printed.

    The table is of one way of splitting; of none, where no frame has what is compared.
    """
    if table.empty:
        return pd.DataFrame(columns=["Method", "Backbone"])
    nothing = pd.DataFrame(columns=["method", "published"])
    found = {name: place for name, place in places.items() if name in set(table["place"])}
    heading = {**METRICS, **SHIFTED, **SHOWN}[error]
    (grid,) = comparisons(table, nothing, found, backbones, {error: heading})
    columns = [*grid.stub, *(title for title, _ in grid.groups)]
    rows = [(*row.stub, *map(shown, row.cells)) for row in grid.rows]
    return pd.DataFrame(rows, columns=columns)


def alphas(
    table: pd.DataFrame, strategy: str, places: Mapping[str, Place], backbones: Mapping[str, str]
) -> pd.DataFrame:
    """Return the α of MEKRR-α in every place (rows) on every backbone (columns), by seed."""
    block = table[(table["strategy"] == strategy) & (table["method"] == WEIGHED)]
    chosen = block.set_index(["backbone", "place"])["alphas"].astype(str).str.replace(" ", ", ")
    rows = [
        {"Data set": place.title}
        | {title: chosen.get((backbone, name), MISSING) for backbone, title in backbones.items()}
        for name, place in places.items()
    ]
    return pd.DataFrame(rows)


def clustered(
    scores: pd.DataFrame, datasets: Mapping[str, Mapping], backbones: Mapping[str, str]
) -> pd.DataFrame:
    """Return how well clusters of the kernels tell the event, as it is printed, without spreads."""
    tables = []
    for grid in clusters.grids(scores, datasets, backbones, list(clusters.MIXTURES)):
        heads = [f"{title}: {score}" for title, names in grid.groups for score in names]
        rows = [(grid.title, *row.stub, *(cell.value for cell in row.cells)) for row in grid.rows]
        tables.append(pd.DataFrame(rows, columns=["Data set", *grid.stub, *heads]))
    return pd.concat(tables, ignore_index=True)


def with_shifted(raw: pd.DataFrame, shifted: pd.DataFrame) -> pd.DataFrame:
    """Return errors without their spreads, in brackets those with the mean error taken off."""
    joined = raw.copy()
    for column in raw.columns[2:]:
        means = (table[column].str.partition(" ± ")[0] for table in (raw, shifted))
        joined[column] = [f"{a} ({b})" if a != MISSING else a for a, b in zip(*means, strict=True)]
    return joined


def cost(folder: str) -> dict[str, str]:
    """Return how many jobs left their times in a folder, and a core's time in all of them."""
    tables = [pd.read_csv(path, sep="\t") for path in Path(folder).rglob("*.tsv")]
    seconds = pd.to_numeric(pd.concat(tables)["cpu_time"], errors="coerce").sum()
    return {"jobs": f"{len(tables)} jobs", "core_time": f"{seconds / 60:.0f} minutes"}


def described(provenance: pd.DataFrame, command: str) -> dict[str, str]:
    """Return what was run, of what code and where."""
    study, ran = facts(provenance, STUDY), facts(provenance, RAN)
    return {
        "what": f"the study of {study['datasets']}; one frame in {study['every']}; "
        f"splits {study['splits']}; seeds {study['seeds']}",
        "command": command,
        "commit": ran["git"],
        "date": date.today().isoformat(),
        "machine": f"{ran['cores']} cores of {ran['cpu']}, torch {ran['torch']}, {ran['blas']}",
    }
