"""Arguments that several commands share, and checks of them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mekrr.errors import DataError


def registry() -> argparse.ArgumentParser:
    """Parent parser with `--registry`."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--registry",
        metavar="FILE",
        help="YAML file that names more backbones (default: config/backbones.yaml, if there)",
    )
    return parser


def threads() -> argparse.ArgumentParser:
    """Parent parser with `--threads`."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--threads",
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="threads (default: all cores, here %(default)s)",
    )
    return parser


def require_not_input(output: str, *inputs: str) -> None:
    """Raise a DataError if writing ``output`` would overwrite an input."""
    for path in inputs:
        if Path(output).resolve() == Path(path).resolve():
            raise DataError(f"{output}: is an input; write to another file")
