"""Checking, comparing and judging the frames of a file: seconds and memory, by their number.

`python -m benchmarks.checking FILE`. Frames are spread evenly over the file. Every step is a
process of its own, as in a study: `check_frames` reads, checks and writes, `leaks` looks for the
nearest training frames of a tenth of the frames, `check_dataset` for repeats and all else.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from mekrr.data.checks import check_dataset
from mekrr.data.copies import leaks
from mekrr.data.frames import write_frames
from mekrr.data.reading import iter_frames
from mekrr.data.splits import split_frames
from mekrr.data.written import WrittenFrames
from mekrr.study.preparation import write_checked

SPLIT = "random-0"


def check_frames(folder: Path) -> None:
    """Read, check and write the frames, and their table."""
    table = write_checked(folder / "frames.extxyz", [str(folder / "given.extxyz")], {}, {}, 1)
    table.to_csv(folder / "frames.csv", index=False)


def compare(folder: Path) -> None:
    """Find the nearest training frame of each test frame."""
    table, frames, splits = _known(folder)
    leaks(frames, table["frame"], splits).to_csv(folder / "leaks.csv", index=False)


def judge(folder: Path) -> None:
    """Find all that is to be said of the frames."""
    table, frames, splits = _known(folder)
    check_dataset(frames, table, pd.read_csv(folder / "leaks.csv"), splits)


STEPS = {"check_frames": check_frames, "leaks": compare, "check_dataset": judge}


def _known(folder: Path) -> tuple[pd.DataFrame, WrittenFrames, dict[str, np.ndarray]]:
    table = pd.read_csv(folder / "frames.csv")
    split = split_frames(table, "random", (0.8, 0.1, 0.1), 0, "frames")["split"].to_numpy()
    return table, WrittenFrames(folder / "frames.extxyz", table["offset"]), {SPLIT: split}


def measured(step: Callable[[Path], None], folder: Path) -> dict[str, float]:
    """Return seconds of the processor, and MB at most, of a step in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_timed, step, folder).result()


def _timed(step: Callable[[Path], None], folder: Path) -> dict[str, float]:
    import vesin  # noqa: F401  # which brings torch along, and is no part of a step's law

    warnings.simplefilter("ignore")
    began = time.process_time()
    step(folder)
    seconds = time.process_time() - began
    return {"seconds": seconds, "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def spread(path: str, sizes: list[int]) -> dict[int, list[int]]:
    """Return places of so many frames, spread evenly over a file."""
    n_frames = sum(1 for _ in iter_frames(path))
    return {
        size: np.linspace(0, n_frames - 1, min(size, n_frames)).astype(int).tolist()
        for size in sizes
    }


def main() -> None:
    """Print seconds and memory of each step and number of frames, and the exponents."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checking")
    parser.description = __doc__.splitlines()[0]
    parser.add_argument("file", help="frames with energies, in any format")
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 10_000, 25_000])
    options = parser.parse_args()

    rows = []
    for size, places in spread(options.file, options.frames).items():
        wanted = set(places)
        chosen = (atoms for k, (_, atoms) in enumerate(iter_frames(options.file)) if k in wanted)
        with tempfile.TemporaryDirectory(prefix="mekrr-") as name:
            folder = Path(name)
            write_frames(folder / "given.extxyz", chosen)
            for step, function in STEPS.items():
                rows.append({"step": step, "frames": size} | measured(function, folder))
                print(pd.Series(rows[-1]).to_string(), flush=True)
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="{:.1f}".format))
    if len(options.frames) > 1:
        for step, part in table.groupby("step", sort=False):
            slope = np.polyfit(np.log(part["frames"]), np.log(part["seconds"]), 1)[0]
            print(f"{step}: seconds grow as frames to the power of {slope:.2f}")


if __name__ == "__main__":
    main()
