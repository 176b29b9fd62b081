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


def add_frames(command: argparse.ArgumentParser) -> None:
    """Add the files of frames, and how they are to be read."""
    command.add_argument(
        "frames",
        nargs="+",
        metavar="FRAMES",
        help="files that ASE reads, with total energies in eV; - for standard input; FILE@:10, "
        "FILE@-1, FILE@::2 for part of one. Each of several files is a run, unless frames state "
        "theirs",
    )
    command.add_argument(
        "--format", metavar="FMT", help="ASE's name of the files' format (default: by content)"
    )
    command.add_argument(
        "--energy-key", metavar="KEY", help="key of the total energy in the files (default: energy)"
    )
    command.add_argument(
        "--forces-key", metavar="KEY", help="key of the forces in the files (default: forces)"
    )


def how_to_read(options: argparse.Namespace) -> dict[str, str | None]:
    """What `read_frames` and `read_unlabelled` need of `add_frames`'s options."""
    return {name: getattr(options, name) for name in ("format", "energy_key", "forces_key")}


def input_files(options: argparse.Namespace) -> list[str]:
    """The files of frames, without what part of them is meant."""
    from mekrr.data.reading import split_index

    return [split_index(source)[0] for source in options.frames]


def require_not_input(output: str, *inputs: str) -> None:
    """Raise a DataError if writing ``output`` would overwrite an input."""
    for path in inputs:
        if Path(output).resolve() == Path(path).resolve():
            raise DataError(f"{output}: is an input; write to another file")
