"""Arguments that several commands share, and checks of them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import TextIO, TypeAlias, TypeVar

from mekrr.choices import ATOMS, SYMBOLS
from mekrr.files import STANDARD_OUTPUT, check_output
from mekrr.models.limits import MOST_THREADS

T = TypeVar("T", int, float)
Commands: TypeAlias = "argparse._SubParsersAction"  # it has no public name


def registry() -> argparse.ArgumentParser:
    """Parent parser with `--registry`."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--registry",
        metavar="FILE",
        help="YAML file that names more backbones",
    )
    return parser


def threads() -> argparse.ArgumentParser:
    """Parent parser with `--threads`."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--threads",
        type=integer(1, MOST_THREADS),
        default=min(len(os.sched_getaffinity(0)), MOST_THREADS),
        metavar="N",
        help="threads (default: all cores)",
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


def add_output(command: argparse.ArgumentParser, metavar: str, help: str) -> None:
    """Add `--output`; "-" becomes the path of standard output."""
    command.add_argument(
        "-o", "--output", required=True, type=_output, metavar=metavar, help=f"{help}; - for stdout"
    )


def require_writable(options: argparse.Namespace, *inputs: str | None) -> None:
    """Raise an OutputError, before any work, if the output cannot be written or is an input."""
    given = [*input_files(options), options.registry, *inputs]
    check_output(options.output, [path for path in given if path is not None])


def summary_stream(output: str) -> TextIO:
    """Where a command tells what it did: not among what it writes to standard output."""
    return sys.stderr if output == str(STANDARD_OUTPUT) else sys.stdout


def integer(least: int, largest: int = 2**32 - 1) -> Callable[[str], int]:
    """Argparse's type of an integer between bounds."""
    return _number(int, least, largest)


def number(least: float, largest: float) -> Callable[[str], float]:
    """Argparse's type of a number between bounds."""
    return _number(float, least, largest)


def _number(kind: type[T], least: float, largest: float) -> Callable[[str], T]:
    def convert(text: str) -> T:
        value = kind(text)
        if not least <= value <= largest:  # nor is NaN
            raise argparse.ArgumentTypeError(
                f"{text} should be from {least:.10g} to {largest:.10g}"
            )
        return value

    convert.__name__ = {int: "integer", float: "number"}[kind]  # argparse: invalid number value
    return convert


def integers(least: int, largest: int) -> Callable[[str], list[int]]:
    """Argparse's type of an integer, or of several separated by commas."""
    one = integer(least, largest)

    def convert(text: str) -> list[int]:
        return [one(part) for part in text.split(",")]

    convert.__name__ = one.__name__
    return convert


def atom_rule(text: str) -> str | dict[str, list[str] | list[int]]:
    """A rule of atoms: all, mobile, species as C,O,H, or places in the frame as 48,49."""
    if text in ATOMS:
        return text
    words = text.split(",")
    if all(word.isdecimal() for word in words):
        return {"index": [int(word) for word in words]}
    if set(words) <= set(SYMBOLS):
        return {"species": words}
    raise argparse.ArgumentTypeError(
        f"{text!r} is none of {', '.join(ATOMS)}, nor species, as C,O,H, nor places of atoms from "
        "0, as 48,49"
    )


def reference_rule(text: str) -> str | dict[str, float]:
    """A rule of reference energies: its name, or an energy (eV) of each species, Cu=-3.7,O=-1.9."""
    from mekrr.data.references import RULES

    if "=" not in text:
        if text not in RULES:
            raise argparse.ArgumentTypeError(
                f"{text!r} is none of {', '.join(RULES)}, nor energies in eV, as Cu=-3.7,O=-1.9"
            )
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


def _output(text: str) -> str:
    return str(STANDARD_OUTPUT) if text == "-" else text
