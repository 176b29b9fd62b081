"""The step that puts the shards together, and says what each frame is for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mekrr.data.frames import load_frames, write_frames
from mekrr.files import write_csv
from mekrr.study.job import Step
from mekrr.study.pretraining.parts import parts_of, read_facts


def write(step: Step) -> None:
    """Put the shards together: the frames, their table with the part of each, what was dropped."""
    params = step.params
    table = pd.concat([read_facts(path) for path in step.input.facts], ignore_index=True)
    table.insert(0, "index", np.arange(len(table)))
    table["part"] = parts_of(table, params.held_out, params.seed)
    write_csv(step.output.table, table)
    write_frames(
        step.output.frames, (atoms for path in step.input.frames for atoms in load_frames(path))
    )
    dropped = pd.concat([pd.read_csv(path) for path in step.input.dropped])
    write_csv(step.output.dropped, dropped.groupby("reason", as_index=False)["frames"].sum())
