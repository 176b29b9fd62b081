"""Steps that end without a word: one line of them, from Snakemake's own process.

`mekrr.study.job` turns errors into one line. It cannot where a library ends the process in place of
raising an error (OpenBLAS, when it gets no memory), where the process is killed (by the system
when memory runs out, by a crash in compiled code), or where it ends before the step begins.
Snakemake sees the end of each, also on a cluster, where the queue may kill the job as a whole.
"""

from __future__ import annotations

import logging
import os
import re
import resource
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from snakemake_interface_logger_plugins.common import LogEvent

from mekrr.errors import printable

SNAKEMAKE = logging.getLogger("snakemake.logging")
STATUS = re.compile(r"returned non-zero exit status (\d+)|died with <Signals\.(\w+)")
OURS = re.compile(r"^mekrr: (error|unexpected)", re.MULTILINE)  # the line of `mekrr.study.job`
MB = 2**20


@dataclass(frozen=True)
class _Begun:
    """A step as it was when Snakemake started it.

    Attributes
    ----------
    name : rule and wildcards.
    asked : memory asked for, in MB; None if the rule asks for none.
    log : state of its log, which may be there from a run before.
    n_oom_kills : processes that the system has killed for memory until then.
    """

    name: str
    asked: int | None
    log: tuple | None
    n_oom_kills: int


class EndingWatch(logging.Handler):
    """Listens to what Snakemake logs of its jobs, and prints a line for those cut off."""

    def __init__(self):
        super().__init__()
        self._begun: dict[int, _Begun] = {}
        self._of_thread = threading.local()  # a job's two errors come from one thread

    def emit(self, record: logging.LogRecord) -> None:
        """Handle a record; no error in here may keep Snakemake from its work."""
        try:
            self._follow(record)
        except Exception:
            self.handleError(record)

    def _follow(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            self._begun[record.jobid] = _Begun(
                _name(record.rule_name, record.wildcards),
                record.resources.get("mem_mb"),
                _state(record.log),
                _n_oom_kills(),
            )
        elif event == LogEvent.ERROR:
            self._of_thread.ended = _how(record.getMessage())
        elif event == LogEvent.JOB_ERROR:
            ended = self._of_thread.__dict__.pop("ended", None)
            queued = record.aux.get("external_jobid")
            begun = self._begun.get(record.jobid)
            if begun is not None and (ended or queued) and ended != "SIGINT":
                self._tell(begun, record.log, ended, queued)

    @staticmethod
    def _tell(begun: _Begun, log: list[str], ended: str | None, queued: str | None) -> None:
        if _state(log) not in (None, begun.log) and OURS.search(_text(log[0])):
            return
        if ended is None:
            how, memory = f"job {queued} of the queue", f"it asked for {begun.asked} MB"
        else:
            killed = _n_oom_kills() > begun.n_oom_kills
            how = f"{ended}, the system was out of memory" if killed else ended
            memory = _memory(begun.asked)
        see = f"{log[0]} and the lines above" if log else "the lines above"
        line = (
            f"mekrr: error: {begun.name}: ended without a message ({how}); {memory}; if that was "
            "too little, run fewer jobs at once (--cores) or give the rule more memory "
            f"(--set-resources), else see {see}"
        )
        print(printable(line), file=sys.stderr, flush=True)


def watch_endings() -> None:
    """Have lines printed for steps that end without a word, from now on."""
    if not any(isinstance(handler, EndingWatch) for handler in SNAKEMAKE.handlers):
        SNAKEMAKE.addHandler(EndingWatch())


def _name(rule: str, wildcards: Mapping[str, str] | None) -> str:
    values = ", ".join(f"{key}={value}" for key, value in (wildcards or {}).items())
    return f"{rule} ({values})" if values else rule


def _state(log: list[str]) -> tuple | None:
    """What tells whether a step has written to its log; None if there is none."""
    try:
        found = os.stat(log[0])
    except (IndexError, FileNotFoundError):
        return None
    return (found.st_mtime_ns, found.st_size)


def _text(log: str) -> str:
    return Path(log).read_text(encoding="utf-8", errors="replace")


def _how(message: str) -> str | None:
    """How a command ended by Snakemake's words: a signal's name or an exit status."""
    match = STATUS.search(message)
    if match is None:
        return None
    status = match[2] or int(match[1])
    if isinstance(status, int) and status > 128:  # of a shell whose command was killed
        try:
            return signal.Signals(status - 128).name
        except ValueError:
            pass
    return status if isinstance(status, str) else f"exit status {status}"


def _memory(asked: int | None) -> str:
    """What is known of a local step's memory: asked for, used by any, allowed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    amount, name = min(_limits())
    request = "" if asked is None else f"it asked for {asked} MB, "
    return f"{request}no step has used more than {used} MB, {amount // MB} MB are there ({name})"


def _limits() -> Iterator[tuple[int, str]]:
    """Bounds on the memory of a step, in bytes, with what sets them."""
    yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), "the machine's"
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        yield soft, "ulimit -v"
    for line in _lines("/proc/self/cgroup"):
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            root, file = Path("/sys/fs/cgroup"), "memory.max"
        elif "memory" in controllers.split(","):
            root, file = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
        else:
            continue
        place = root / group.lstrip("/")
        for folder in (place, *place.parents):
            if folder.is_relative_to(root) and (folder / file).is_file():
                text = (folder / file).read_text().strip()
                if text != "max":
                    yield int(text), "its control group's"


def _n_oom_kills() -> int:
    """Processes of this machine that the system has killed since it started, for memory."""
    for line in _lines("/proc/vmstat"):
        name, value = line.split()
        if name == "oom_kill":
            return int(value)
    return 0


def _lines(path: str) -> list[str]:
    """Lines of a file of the Linux kernel, none on another system."""
    try:
        return Path(path).read_text().splitlines()
    except FileNotFoundError:
        return []
