"""Running one step as a job: log file, threads, one-line errors, records of what it wrote."""

from __future__ import annotations

import errno
import gc
import logging
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from threadpoolctl import threadpool_limits

from mekrr.errors import MekrrError, MekrrWarning, one_line, printable
from mekrr.study.provenance import (
    forget_benchmark,
    read_inputs,
    record_benchmarks,
    require_unchanged,
    write_records,
)

OBJECTS = 100_000
TERMINAL = logging.getLogger("mekrr")  # what a user must see: goes to the terminal as well

REMEDIES = {  # of faults of the place that a step writes to
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room within the quota",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable",
}


class Step(Protocol):
    """What Snakemake tells a script of its rule and job."""

    rule: str
    input: Any
    output: Any
    params: Any
    wildcards: Any
    log: Any
    threads: int


class _Stopped(BaseException):
    """The step's process was asked to end."""


@contextmanager
def job(step: Step) -> Iterator[None]:
    """Run a step's body with output in its log and its threads of linear algebra.

    A MekrrError, which the user can mend, becomes one line on the terminal's stderr and
    exit status 1. So does a lack of memory or disk, and SIGTERM, with which a queue ends a
    job at its time limit. Any other error leaves its traceback in the log as well.

    Parameters
    ----------
    step : inputs are refused that are not as they were written, or that change while the step
        runs; outputs are recorded.
    """
    log = step.log[0]
    with open(log, "w", encoding="utf-8", buffering=1) as stream:
        sys.stdout = sys.stderr = stream
        logging.basicConfig(stream=stream, level=logging.INFO, format="%(levelname)s: %(message)s")
        terminal = logging.StreamHandler(sys.__stderr__)
        terminal.setLevel(logging.WARNING)
        terminal.setFormatter(_Printable("mekrr: warning: %(message)s"))
        TERMINAL.addHandler(terminal)
        logging.captureWarnings(True)
        warnings.showwarning = _showing(warnings.showwarning)
        warnings.formatwarning = _without_place
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        signal.signal(signal.SIGTERM, _stop)
        # Modules and tables make many objects and little garbage: looked for less often.
        gc.set_threshold(OBJECTS)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(step.threads)
        try:
            inputs = read_inputs(step.input)
            record_benchmarks(inputs)
            forget_benchmark(log)
            with threadpool_limits(step.threads):
                yield
            require_unchanged(inputs)
            write_records(step, inputs)
        except MekrrError as error:
            _fail(f"mekrr: error: {error}", stream)
        except MemoryError as error:
            _fail(
                f"mekrr: error: {step.rule}: out of memory ({error}); run fewer jobs at once "
                "(--cores), or give the rule more memory (--set-resources)",
                stream,
            )
        except _Stopped:
            _fail(
                f"mekrr: error: {step.rule}: ended by SIGTERM, as at a time limit; run again, "
                "with a longer limit if need be (--set-resources)",
                stream,
            )
        except Exception as error:
            remedy = REMEDIES.get(error.errno) if isinstance(error, OSError) else None
            if remedy is not None:
                where = error.filename or step.output[0]
                _fail(
                    f"mekrr: error: {where}: {error.strerror}; {remedy} and run again: what is "
                    "finished stays",
                    stream,
                )
            traceback.print_exc(file=stream)
            _fail(f"mekrr: unexpected {type(error).__name__}: {error}; see {log}", stream)
        finally:
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
            # Python would end by looking for garbage among all of torch: 0.3 s of each short job.
            gc.freeze()


class _Printable(logging.Formatter):
    """Lines for a terminal, which reads some characters as orders."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _stop(_number, _frame) -> None:
    raise _Stopped


def _showing(to_log: Callable[..., None]) -> Callable[..., None]:
    """What shows a warning: on the terminal as well if it bears on results."""

    def show(message, category, *place) -> None:
        if issubclass(category, MekrrWarning):
            TERMINAL.warning("%s", message)
        else:
            to_log(message, category, *place)

    return show


def _without_place(message, category, filename, lineno, _line=None) -> str:
    """A warning as one line, which names the file but not where it is installed."""
    return f"{Path(filename).name}:{lineno}: {category.__name__}: {message}"


def _fail(message: str, stream) -> None:
    line = one_line(message)
    print(line, file=sys.__stderr__, flush=True)
    print(line, file=stream)
    sys.exit(1)
