"""Progress bars: on the terminal where there is one, else as sparse lines in the log."""

from __future__ import annotations

import sys

from tqdm import tqdm


def progress_bar(total: int | None, title: str, unit: str, scale: bool = False) -> tqdm:
    """A bar of ``total`` steps (None if unknown), to be used as a context.

    ``scale`` prints thousands and millions as k and M.
    """
    terminal = sys.__stderr__ is not None and sys.__stderr__.isatty()
    return tqdm(
        total=total,
        desc=title,
        unit=f" {unit}",
        unit_scale=scale,
        file=sys.__stderr__ if terminal else sys.stderr,
        mininterval=0.2 if terminal else 10.0,
        dynamic_ncols=terminal,
        smoothing=0.1,
    )
