"""Progress bars: on the terminal where there is one, else as sparse lines in the log."""

from __future__ import annotations

import sys

from tqdm import tqdm


def progress_bar(total: int, title: str, unit: str) -> tqdm:
    """A bar of ``total`` steps; call ``update(n)`` and ``close()``, or use as a context."""
    terminal = sys.__stderr__ is not None and sys.__stderr__.isatty()
    return tqdm(
        total=total,
        desc=title,
        unit=f" {unit}",
        file=sys.__stderr__ if terminal else sys.stderr,
        mininterval=0.2 if terminal else 10.0,
        dynamic_ncols=terminal,
        smoothing=0.1,
    )
