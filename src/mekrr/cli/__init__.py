"""Command line: fit a model to frames, predict frames, run dynamics, look into a model.

`mekrr --help`, `mekrr fit --help`.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import warnings
from collections.abc import Sequence

import mekrr
from mekrr.cli import backbones, doctor, export, fit, info, md, plan, predict, select
from mekrr.cli.printing import show_warning
from mekrr.errors import MekrrError, one_line

# Heavy modules are imported by the commands, so that --help comes at once.


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command. An error that the user can mend is one line, and exit status 1."""
    _open_streams()
    options = parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        warnings.showwarning = show_warning
        try:
            options.command(options)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has left (mekrr backbones | head): no error to speak of.
            # Python would meet it once more, on closing stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(128 + signal.SIGPIPE)
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)
        except (MekrrError, OSError) as error:
            sys.exit(f"mekrr: error: {one_line(error)}")


def _open_streams() -> None:
    """Make standard output and error fit for any text, and open where they were closed.

    A terminal that knows no λ gets its escape. Without a standard output the next file that
    is opened would take its number, and what is printed.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            null = os.open(os.devnull, os.O_WRONLY)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands, from which the reference is made, too.

    What it parses has the function of its command as ``command``.
    """
    whole = argparse.ArgumentParser(
        prog="mekrr",
        description="Potentials from a few hundred frames: kernel ridge regression with "
        "mean-embedding kernels on the features of a pre-trained graph neural network.",
    )
    whole.add_argument("--version", action="version", version=mekrr.__version__)
    commands = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in (fit, predict, md, select, export, info, backbones, plan, doctor):
        module.add_command(commands)
    return whole
