"""The tables of a pre-training: what the set holds, and the errors of the networks."""

from __future__ import annotations

import pandas as pd

from mekrr.files import write_csv
from mekrr.study.job import Step
from mekrr.study.pretraining.parts import PARTS, read_facts
from mekrr.study.tables.printing.numbers import digits
from mekrr.study.tables.printing.write import write_listing

ERRORS = {
    "energy": "energy (meV/atom)",
    "composition": "of composition alone",
    "force": "force (meV/Å)",
    "zero_force": "of no force",
}


def contents(step: Step) -> None:
    """Write the frames by metal and by adsorbate, and for what they are."""
    table = read_facts(step.input.table)
    counted = counts(table)
    write_csv(step.output.csv, counted)
    dropped = pd.read_csv(step.input.dropped)
    reasons = ", ".join(f"{row.reason} {row.frames}" for row in dropped.itertuples())
    notes = [
        f"{len(table)} frames of {table['run'].nunique()} runs, {table['n_atoms'].min()} to "
        f"{table['n_atoms'].max()} atoms, {table['n_atoms'].mean():.0f} on average. A frame with "
        "several adsorbates counts for each.",
        f"Dropped, since the labels are not to be believed: {reasons or 'none'}.",
    ]
    _write(step, counted.astype(str), f"{step.params.title}: the set", notes)


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """Return frames by metal and kind, then by adsorbate: all, and by part."""
    parts = list(PARTS)
    metals = table.assign(what=table["metal"].where(table["metal"] != "", "no metal"))
    metals["of"] = metals["kind"]
    adsorbates = table[table["adsorbates"] != ""].copy()
    adsorbates["what"] = adsorbates["adsorbates"].str.split("+").map(lambda names: sorted({*names}))
    adsorbates = adsorbates.explode("what").assign(of="adsorbate or gas")
    rows = []
    for group, frames in (("metal", metals), ("molecule", adsorbates)):
        for what, own in frames.groupby("what"):
            row = {"by": group, "": what, "frames": len(own)}
            if group == "metal":
                row |= {kind: int((own["kind"] == kind).sum()) for kind in KINDS}
            rows.append(row | {PARTS[p]: int((own["part"] == p).sum()) for p in parts})
    found = pd.DataFrame(rows)
    return found.fillna(0).astype({name: int for name in found if name not in ("by", "")})


KINDS = ("adsorbate", "slab", "bulk", "gas")


def errors(step: Step) -> None:
    """Write the errors of all networks on each part."""
    table = pd.concat([pd.read_csv(path) for path in step.input.errors], ignore_index=True)
    write_csv(step.output.csv, table)
    rows = [
        {"network": row["network"], "frames": f"{row['part']} ({row['frames']})"}
        | {
            words: " / ".join(digits(e, e) for e in (row[f"{name}_mae"], row[f"{name}_rmse"]))
            for name, words in ERRORS.items()
        }
        for _, row in table.iterrows()
    ]
    notes = [
        "MAE / RMSE. Composition alone: an energy for each species, fitted to the training frames."
    ]
    _write(step, pd.DataFrame(rows), f"{step.params.title}: errors", notes)


def _write(step: Step, table: pd.DataFrame, title: str, notes: list[str]) -> None:
    paths = {"markdown": step.output.markdown, "html": step.output.html}
    write_listing(paths, table, title, notes)
