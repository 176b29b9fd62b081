"""The runs of one job, method by method, and what they leave on disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd
from ase import Atoms
from ase.calculators.calculator import Calculator

from mekrr.data.frames import load_frames, write_frames
from mekrr.dynamics.engine import Ending, simulate
from mekrr.dynamics.limits import Limits
from mekrr.dynamics.settings import Settings
from mekrr.dynamics.sinks import Record
from mekrr.errors import OtherRunError
from mekrr.files import write_csv
from mekrr.progress import progress_bar
from mekrr.study.experiments.molecular_dynamics.facts import against_truth, bond_lengths
from mekrr.study.surrogates.systems import weigh

log = logging.getLogger(__name__)
LABELS = ("dataset", "strategy", "seed", "ensemble")


def start_of(frames: str, split: str) -> Atoms:
    """Return the first test frame of a split, with the masses of the surrogates' own dynamics.

    Parameters
    ----------
    frames : file of checked frames. split : table that divides them.
    """
    test = pd.read_csv(split)["split"].eq("test").to_numpy().argmax()
    start = load_frames(frames)[test]
    weigh(start)
    return start


def recorded(
    start: Atoms,
    calculator: Calculator,
    settings: Settings,
    limits: Limits,
    checkpoint: Path,
    progress: Callable[[int], object],
) -> tuple[Record, Ending]:
    """Return what a run left and how it ended; see `simulate`.

    A checkpoint of another run, from before the configuration changed, is passed over with a
    warning.
    """
    record = Record()
    how = start, calculator, settings, limits, record, checkpoint, progress
    try:
        return record, simulate(*how)
    except OtherRunError as error:
        log.warning("%s: it begins anew", error)
        checkpoint.unlink()
        return record, simulate(*how)


def log_of(record: Record, ending: Ending) -> pd.DataFrame:
    """Return the log of a run as a table, with why it ended on the last row."""
    table = record.log().drop(columns="energy_std").assign(left="")
    table.loc[table.index[-1], "left"] = ending.left
    return table


def write_runs(
    calculators: Iterable[tuple[str, Calculator]],
    start: Atoms,
    truth: Calculator,
    settings: Settings,
    limits: Limits,
    checkpoint: str,
    output: Mapping[str, str],
    labels: Mapping[str, str],
) -> None:
    """Run one after another, and write what they left.

    Parameters
    ----------
    calculators : by method.
    truth : the potential that made the data.
    checkpoint : where states of the runs are kept until all is written, without the method.
    output : files ``log``, ``errors``, ``bonds`` and ``frames``.
    labels : `LABELS`, and the backbone; they open each row.
    """
    tables: dict[str, list[pd.DataFrame]] = {"log": [], "errors": [], "bonds": []}
    frames, checkpoints = [], []
    for method, calculator in calculators:
        checkpoints.append(Path(f"{checkpoint}-{method.replace(' ', '-')}.npz"))
        with progress_bar(settings.steps, method, "steps") as bar:
            how = start, calculator, settings, limits
            record, ending = recorded(*how, checkpoints[-1], bar.update)
        own = record.labelled(start)
        with progress_bar(len(own), f"{method}: truth", "frames") as bar:
            errors = against_truth(own, truth, bar.update)
        opening = {**{key: labels[key] for key in (*LABELS, "backbone")}, "method": method}
        made = {"log": log_of(record, ending), "errors": errors, "bonds": bond_lengths(own)}
        for name, table in made.items():
            tables[name].append(pd.concat([pd.DataFrame(opening, table.index), table], axis=1))
        for frame in own:
            frame.info["method"] = method
        frames += own
    for name, parts in tables.items():
        write_csv(output[name], pd.concat(parts, ignore_index=True))
    write_frames(output["frames"], frames)
    for path in checkpoints:
        path.unlink()
