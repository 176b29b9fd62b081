"""Running one step as a job: log file, threads, one-line errors."""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from mekrr.errors import MekrrError

TERMINAL = logging.getLogger("mekrr")  # what a user must see: goes to the terminal as well


@contextmanager
def job(log: str | os.PathLike, threads: int) -> Iterator[None]:
    """Run a job's body with output in ``log`` and ``threads`` threads of linear algebra.

    A MekrrError, which the user can mend, becomes one line on the terminal's stderr and
    exit status 1. Any other error leaves its traceback in the log as well.
    """
    with open(log, "w", encoding="utf-8", buffering=1) as stream:
        sys.stdout = sys.stderr = stream
        logging.basicConfig(stream=stream, level=logging.INFO, format="%(levelname)s: %(message)s")
        terminal = logging.StreamHandler(sys.__stderr__)
        terminal.setLevel(logging.WARNING)
        terminal.setFormatter(logging.Formatter("mekrr: warning: %(message)s"))
        TERMINAL.addHandler(terminal)
        logging.captureWarnings(True)
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
        try:
            with threadpool_limits(threads):
                yield
        except MekrrError as error:
            _fail(f"mekrr: error: {error}", stream)
        except Exception as error:
            traceback.print_exc(file=stream)
            _fail(f"mekrr: unexpected {type(error).__name__}: {error}; see {log}", stream)
        finally:
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def _fail(message: str, stream) -> None:
    line = " ".join(message.split())
    print(line, file=stream)
    print(line, file=sys.__stderr__, flush=True)
    sys.exit(1)
