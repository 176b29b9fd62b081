"""Progress bars: on the terminal where there is one, else as sparse lines in the log."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from tqdm import tqdm

PAUSE = 30.0  # seconds between two lines of a log
PATIENCE = 10.0  # seconds after which a bar appears of what most often takes less


class _Lines:
    """A stream for a bar that cannot be drawn over: each of its states is a line."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> None:
        line = text.strip()
        if line:
            self._stream.write(f"{line}\n")

    def flush(self) -> None:
        self._stream.flush()


def progress_bar(
    total: int | None, title: str, unit: str, scale: bool = False, delay: float = 0.0
) -> tqdm:
    """A bar of ``total`` steps (None if unknown), to be used as a context.

    Without a terminal it is a line at the beginning, one at the end, and one every `PAUSE`
    seconds. ``scale`` prints thousands and millions as k and M. Nothing is printed before ``delay``
    seconds have passed, and nothing at all where the environment has TQDM_DISABLE.
    """
    shared = {
        "total": total,
        "desc": title,
        "unit": f" {unit}",
        "unit_scale": scale,
        "delay": delay,
    }
    unwanted = bool(os.environ.get("TQDM_DISABLE"))
    terminal = sys.__stderr__
    if terminal is not None and terminal.isatty():
        return tqdm(
            **shared,
            file=terminal,
            disable=unwanted,
            mininterval=0.2,
            dynamic_ncols=True,
            smoothing=0.1,
        )
    return tqdm(
        **shared,
        file=_Lines(sys.stderr) if sys.stderr is not None else None,
        disable=unwanted or sys.stderr is None,
        ncols=80,
        mininterval=PAUSE,
        maxinterval=PAUSE,  # else tqdm's own clock draws the bar every ten seconds
        smoothing=0.1,
    )
