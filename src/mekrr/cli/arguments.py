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


def reference_rule(text: str) -> str | dict[str, float]:
    """A rule of reference energies: its name, or an energy (eV) of each species, Cu=-3.7,O=-1.9."""
    if "=" not in text:
        return text
    try:
        pairs = [pair.split("=") for pair in text.split(",")]
        energies = {species.strip(): float(energy) for species, energy in pairs}
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of energies in eV, as Cu=-3.7,O=-1.9"
        ) from None
    if len(energies) < len(pairs):
        raise argparse.ArgumentTypeError(f"{text!r} names a species twice")
    return energies
