"""From a trajectory to the frames of the study, and from its parts to findings on them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from mekrr.choices import PARTS
from mekrr.data.checks import GRAVE, Finding
from mekrr.data.expectations import energy_doubt, meet
from mekrr.data.frames import (
    MINIMUM_FRAMES,
    Spool,
    require_different,
    thin_out,
    verify_checksum,
)
from mekrr.data.references import separate_isolated, with_isolated
from mekrr.data.survey import numbered
from mekrr.errors import DataError
from mekrr.files import scratch_folder
from mekrr.study.job import TERMINAL

NO_ISOLATED = Atoms()


def write_checked(
    path: str | os.PathLike,
    files: Sequence[str],
    expected: Mapping,
    reading: Mapping,
    every: int,
    sha256: str | None = None,
    large: int | None = None,
) -> pd.DataFrame:
    """Write the frames of a trajectory that the study uses; return their table, with offsets.

    Few frames are in memory at once; on disk they are twice for a while.

    Parameters
    ----------
    path : file to write.
    files : the trajectory, or those of train, val and test.
    expected : what the registry says of it, for `mekrr.data.expectations.meet`.
    reading : how to read it, for `mekrr.data.frames.read_frames`.
    every : one frame in so many is used.
    sha256 : checksum that the file must have, None for any.
    large : number of frames above which the registry has to say how many there are.

    Raises a DataError if the trajectory is not what it is said to be. Isolated atoms are
    kept for references alone: in the table, but no frames.
    """
    source = ", ".join(files)
    if sha256:
        verify_checksum(files[0], sha256)
    with scratch_folder(path) as folder:
        spool = Spool(
            folder / "frames.extxyz",
            dict(zip(PARTS, files, strict=True)) if len(files) > 1 else files[0],
            least=MINIMUM_FRAMES,
            **reading,
        )
        alone = spool.survey.isolated
        rows = meet(spool.rows, alone, expected, source)
        logging.info("%d frames checked", len(rows))
        # What is no isolated atom stands for itself: none of it is asked for.
        frames = [alone.get(place, NO_ISOLATED) for place in range(len(rows))]
        kept, isolated = separate_isolated(frames, rows["energy"].tolist(), source)
        rows = rows.iloc[thin_out(kept, every, source)]
        if large is not None and len(rows) > large and "frames" not in expected:
            raise DataError(
                f"{source}: {len(rows)} frames, more than {large} (`large.above`): give "
                f"`frames: {len(frames)}` of the data set, so that it is fitted "
                "shard by shard"
            )
        require_different(spool.frames(rows.index.to_numpy()), source)
        offsets = spool.write(path, rows)
    if isolated:
        logging.info("isolated atoms, kept for references alone: %s", isolated)
    table = with_isolated(numbered(rows), isolated)
    doubt = energy_doubt(table, expected.get("energy_range"))
    if doubt:
        TERMINAL.warning("%s: %s", source, doubt)
    return table.assign(offset=offsets)


def read_splits(paths: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the part that each frame belongs to, by the names of splits."""
    return {Path(path).stem: pd.read_csv(path)["split"].to_numpy() for path in paths}


def told_findings(name: str, findings: Sequence[Finding]) -> pd.DataFrame:
    """Return findings on a data set as a table; the grave ones are told on the terminal."""
    for finding in findings:
        if finding.check.startswith(GRAVE) and finding.status == "warning":
            TERMINAL.warning("%s: %s: %s", name, finding.check, finding.result)
    table = pd.DataFrame(findings)
    table.insert(0, "dataset", name)
    return table
