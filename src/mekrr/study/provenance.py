"""What stands beside every number: versions, revision, hardware, and a record of each file.

The record of ``results/tables/metrics.csv`` is ``results/provenance/tables/metrics.csv.json``. It
ends with a checksum of itself, so that damage to it is found like damage to the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mekrr.environment import collect, gpu_model
from mekrr.errors import DataError
from mekrr.files import sha256, write_text

RESULTS = Path("results")  # in the folder in which Snakemake runs
RECORDS = RESULTS / "provenance"
LOGS = RESULTS / "logs"
BENCHMARKS = RESULTS / "benchmarks"  # written by Snakemake once a step has ended
SEAL = "checksum_of_record"


def versions() -> dict[str, str]:
    """Return what the library records of its environment, and Snakemake's version."""
    return collect("snakemake")


@dataclass(frozen=True)
class Input:
    """An input as a step found it.

    Attributes
    ----------
    sha256 : its checksum.
    state : what the system says of it; another if it was written to or replaced since.
    """

    sha256: str
    state: tuple[int, ...]

    @classmethod
    def read(cls, path: str | os.PathLike) -> Input:
        """Read a file from end to end."""
        state = _state(path)  # before its bytes: what changes meanwhile is found later
        return cls(sha256(path), state)

    def is_still(self, path: str | os.PathLike) -> bool:
        """Whether a file has the bytes that it had."""
        try:
            return _state(path) == self.state or sha256(path) == self.sha256
        except OSError:
            return False


def _state(path: str | os.PathLike) -> tuple[int, ...]:
    found = os.stat(path)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def write_records(step, inputs: Mapping[str, Input]) -> None:
    """Write the record of each output of a step, as Snakemake describes it to its script.

    A record holds the file's size and checksum; rule, wildcards (the seed among them),
    params (the config's part that decides it) and threads; the checksums of the inputs; and
    `versions`, revision and hardware. Of paths outside the folder only the names stay.

    Parameters
    ----------
    inputs : as from `read_inputs`, before the step's work.
    """
    shared = {
        "rule": step.rule,
        "wildcards": dict(step.wildcards.items()),
        "params": without_places(dict(step.params.items())),
        "threads": step.threads,
        "inputs": {without_places(path): entry.sha256 for path, entry in inputs.items()},
        "environment": versions() | {"gpu": gpu_model()},
    }
    for path in step.output:
        _write_record(path, sha256(path), shared)


def record_benchmarks(inputs: Mapping[str, Input]) -> None:
    """Write the records of those inputs that are benchmarks, when they are first read.

    Snakemake writes them once a step has ended, so that the step itself cannot.
    """
    for path, entry in inputs.items():
        if BENCHMARKS in Path(path).parents and not record_path(path).exists():
            made_by = {"rule": Path(path).relative_to(BENCHMARKS).parts[0]}
            _write_record(path, entry.sha256, made_by | {"inputs": {}, "environment": {}})


def forget_benchmark(log: str | os.PathLike) -> None:
    """Remove the record of a step's benchmark, which is to be written anew.

    ``log`` is the step's log, whose path is like the benchmark's.
    """
    if LOGS in Path(log).parents:
        benchmark = BENCHMARKS / Path(log).relative_to(LOGS).with_suffix(".tsv")
        record_path(benchmark).unlink(missing_ok=True)


def _write_record(path: str | os.PathLike, checksum: str, rest: Mapping) -> None:
    content = {"path": path, "size": os.path.getsize(path), "sha256": checksum}
    write_text(record_path(path), record_text(content | rest))


def record_text(content: Mapping) -> str:
    """A record as text, with the checksum of all the rest at its end."""
    text = json.dumps(content, indent=1, default=str)
    seal = {SEAL: hashlib.sha256(text.encode()).hexdigest()}
    return json.dumps(content | seal, indent=1, default=str) + "\n"


def record_path(path: str | os.PathLike) -> Path:
    """Where the record of a file under ``results`` is."""
    inside = Path(path).relative_to(RESULTS)
    return RECORDS / inside.with_name(f"{inside.name}.json")


def read_record(path: str | os.PathLike) -> dict | None:
    """Record of a file, None if it has none.

    Raises a DataError if the record is damaged: if a bit of it is not as it was written.
    """
    if RESULTS not in Path(path).parents:
        return None
    record = record_path(path)
    if not record.is_file():
        return None
    data = record.read_bytes()
    try:
        content = json.loads(data)
        del content[SEAL]
        whole = record_text(content).encode() == data
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        doomed = path if os.path.exists(path) else record
        raise DataError(
            f"{record}: damaged record, or one of an earlier version; delete {doomed} and run again"
        )
    return content


def source_sha256(path: str | os.PathLike) -> list[str]:
    """Checksums of the files, none of them code, that a file was made from.

    Raises a DataError if its record is missing.
    """
    record = read_record(path)
    if record is None:
        raise DataError(f"{path}: has no record in {RECORDS}; delete it and run again")
    inputs = record["inputs"].items()
    return [checksum for name, checksum in inputs if Path(name).suffix != ".py"]


def read_inputs(paths: Iterable[str | os.PathLike]) -> dict[str, Input]:
    """Read a step's inputs from end to end, and compare them with their records.

    `python -m benchmarks.integrity` tells what that costs. Raises a DataError for the
    first file that is not as it was written, or whose record is damaged.
    """
    inputs = {}
    for path in dict.fromkeys(paths):
        record, entry = read_record(path), Input.read(path)
        if record is not None and entry.sha256 != record["sha256"]:
            raise DataError(f"{path}: {_difference(path, record)}; delete it and run again")
        inputs[path] = entry
    return inputs


def _difference(path: str | os.PathLike, record: Mapping) -> str:
    size = os.path.getsize(path)
    if size == record["size"]:
        return "has other bytes than were written: damaged or changed"
    return f"has {size} bytes, {record['size']} were written: cut short or changed"


def require_unchanged(inputs: Mapping[str, Input]) -> None:
    """Raise a DataError for the first input that was changed since it was read.

    Modules do not count: a step runs those that it started with, and these are recorded.
    """
    for path, entry in inputs.items():
        if Path(path).suffix != ".py" and not entry.is_still(path):
            raise DataError(f"{path}: was changed while it was read; run again")


def without_places(value: object) -> object:
    """A value of the configuration in which absolute paths are cut to their names."""
    if isinstance(value, Mapping):
        return {key: without_places(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_places(entry) for entry in value]
    if isinstance(value, (str, os.PathLike)) and os.path.isabs(value):
        return os.path.basename(value)
    return value
