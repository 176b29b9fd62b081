"""Where franken can be imported: here, or in the environment that `make franken` makes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from mekrr.errors import MekrrError

PYTHON = Path(".venv-franken/bin/python")  # in the folder in which Snakemake runs
MAKE = "`make franken` makes its environment, or leave `franken.backbones` empty"


class FrankenError(MekrrError):
    """franken is not installed, or failed."""


def interpreter() -> str | None:
    """Return the Python that can import franken; None if there is none."""
    if importlib.util.find_spec("franken"):
        return sys.executable
    return str(PYTHON.absolute()) if PYTHON.exists() else None


def needed_interpreter() -> str:
    """Return the same; raise a FrankenError if there is none."""
    found = interpreter()
    if found is None:
        raise FrankenError(f"franken is not installed; {MAKE}")
    return found
