"""The table of a loop: errors round by round, in its own way and in those it is held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from mekrr.data.variables import axis_label
from mekrr.files import write_csv
from mekrr.study.job import Step
from mekrr.study.tables.printing.numbers import digits
from mekrr.study.tables.printing.write import write_listing

WHERE = ("all", "below", "beyond")
ERRORS = {
    "energy_rmse": "energy RMSE (meV/atom)",
    "force_rmse": "force RMSE (meV/Å)",
    "force_rmse_shown": "of the reacting atoms (meV/Å)",
}


def errors_of(frames: pd.DataFrame, beyond: float) -> Iterator[dict[str, object]]:
    """Yield root mean square errors of all test frames, and of those below and beyond a value.

    Parameters
    ----------
    frames : what `mekrr.study.active.steps.test` writes.
    """
    far = frames["variable"] >= beyond
    for where, part in zip(WHERE, (frames, frames[~far], frames[far]), strict=True):
        yield {
            "where": where,
            "frames": len(part),
            "energy_rmse": np.sqrt(np.mean(part["energy_error"] ** 2)),
            "energy_std": np.sqrt(np.mean(part["energy_std"] ** 2)),
            "force_rmse": np.sqrt(part["force_mse"].mean()),
            "force_rmse_shown": np.sqrt(part["force_mse_shown"].mean()),
        }


def write(step: Step) -> None:
    """Write the errors of all rounds, and their means over seeds for the page."""
    params = step.params
    rows = []
    for path, (way, seed, number) in zip(step.input.errors, params.fits, strict=True):
        frames = pd.read_csv(path)
        common = {"way": way, "seed": seed, "round": number, "n_train": frames["n_train"].iloc[0]}
        rows += [common | errors for errors in errors_of(frames, params.shown["beyond"])]
    table = pd.DataFrame(rows)
    write_csv(step.output.csv, table)
    paths = {"markdown": step.output.markdown, "html": step.output.html}
    write_listing(paths, printed(table), params.title, notes(params.shown))


def printed(table: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds with their standard deviations as text, a fit in a row."""
    rows = []
    for (way, number, where), fits in table.groupby(["way", "round", "where"], sort=False):
        least, most = fits["n_train"].min(), fits["n_train"].max()
        known = f"{least}" if least == most else f"{least}–{most}"
        row = {"frames chosen by": way, "round": str(number), "training frames": known}
        row["test frames"] = f"{where} ({fits['frames'].iloc[0]})"
        rows.append(row | {words: spread(fits[name]) for name, words in ERRORS.items()})
    return pd.DataFrame(rows)


def spread(values: pd.Series) -> str:
    """Return a mean over seeds ± its standard deviation."""
    values = values.dropna()
    if values.empty:
        return "–"
    mean = digits(values.mean(), values.mean())
    return mean if len(values) == 1 else f"{mean} ± {digits(values.std(), values.mean())}"


def notes(shown: Mapping) -> list[str]:
    """Return what is to be known of the table."""
    name = axis_label(shown["variable"])
    return [
        f"Test frames below and beyond {name} = {shown['beyond']:g}. Mean ± standard deviation "
        "over seeds. Of round 0 the start frames alone are known.",
    ]
