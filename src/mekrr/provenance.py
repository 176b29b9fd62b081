"""What stands beside every number: versions, revision, hardware, and a record of each file.

The record of ``results/tables/metrics.csv`` is ``results/provenance/tables/metrics.csv.json``.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_info

import mekrr
from mekrr.errors import DataError
from mekrr.files import sha256, write_text

RESULTS = Path("results")  # in the folder in which Snakemake runs
RECORDS = RESULTS / "provenance"

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "ase",
    "torch-geometric",
    "fairchem-core",
    "sevenn",
    "chgnet",
    "diep",
    "mace-torch",
    "e3nn",
    "featomic",
    "quippy-ase",
    "vesin",
    "snakemake",
)
RECORDED = ("theory", "licence", "citation", "surrogate_for", "published_as")


def collect() -> dict[str, str]:
    """Versions of the packages that decide the numbers, git revision and hardware."""
    record = {
        "mekrr": mekrr.__version__,
        "git": git_revision(),
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            record[package] = version(package)
        except PackageNotFoundError:
            record[package] = "not installed"
    record["platform"] = f"{platform.system()} {platform.machine()}"
    record["cpu"] = cpu_model()
    record["blas"] = blas()
    record["cores"] = str(os.cpu_count())
    return record


def write_records(step) -> None:
    """Write the record of each output of a step, as Snakemake describes it to its script.

    A record holds the file's size and checksum; rule, wildcards (the seed among them),
    params (the config's part that decides it) and threads; the checksums of the inputs; and
    `collect`'s versions, revision and hardware. Of paths outside the folder only the names
    stay.
    """
    shared = {
        "rule": step.rule,
        "wildcards": dict(step.wildcards.items()),
        "params": without_places(dict(step.params.items())),
        "threads": step.threads,
        "inputs": {without_places(path): _known_sha256(path) for path in step.input},
        "environment": collect() | {"gpu": gpu_model()},
    }
    for path in step.output:
        content = {"path": path, "size": os.path.getsize(path), "sha256": sha256(path)}
        write_text(record_path(path), json.dumps(content | shared, indent=1, default=str) + "\n")


def record_path(path: str | os.PathLike) -> Path:
    """Where the record of a file under ``results`` is."""
    inside = Path(path).relative_to(RESULTS)
    return RECORDS / inside.with_name(f"{inside.name}.json")


def read_record(path: str | os.PathLike) -> dict | None:
    """Record of a file, None if it has none.

    Raises a DataError if the record is damaged.
    """
    if RESULTS not in Path(path).parents:
        return None
    record = record_path(path)
    if not record.is_file():
        return None
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        return content | {"size": int(content["size"]), "sha256": str(content["sha256"])}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{record}: damaged record; delete it") from error


def source_sha256(path: str | os.PathLike) -> list[str]:
    """Checksums of the files, none of them code, that a file was made from.

    Raises a DataError if its record is missing.
    """
    record = read_record(path)
    if record is None:
        raise DataError(f"{path}: has no record in {RECORDS}; delete it and run again")
    inputs = record["inputs"].items()
    return [checksum for name, checksum in inputs if Path(name).suffix != ".py"]


def require_whole(paths: Iterable[str | os.PathLike]) -> None:
    """Raise a DataError for the first file whose size is not the recorded one."""
    for path in paths:
        record = read_record(path)
        if record is not None and os.path.getsize(path) != record["size"]:
            raise DataError(
                f"{path}: has {os.path.getsize(path)} bytes, {record['size']} were written: cut "
                "short or changed; delete it and run again"
            )


def without_places(value: object) -> object:
    """A value of the configuration in which absolute paths are cut to their names."""
    if isinstance(value, Mapping):
        return {key: without_places(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_places(entry) for entry in value]
    if isinstance(value, (str, os.PathLike)) and os.path.isabs(value):
        return os.path.basename(value)
    return value


def _known_sha256(path: str | os.PathLike) -> str:
    """Checksum of an input, from its record where it has one."""
    record = read_record(path)
    return sha256(path) if record is None else record["sha256"]


def study_table(
    study: Mapping,
    datasets: Mapping[str, Mapping],
    frames: Mapping[str, str],
    features: Mapping[str, Mapping[str, str]],
) -> pd.DataFrame:
    """Table of what, item, value: this run, the study, its data, its feature files.

    Parameters
    ----------
    study : the configuration's section of that name.
    datasets : the registry's entries of the study's data sets.
    frames : the checked frames of each data set, whose record knows what they were read from.
    features : from a feature file to the record kept in it.
    """
    current = collect()
    rows = [("fits and tables", item, value) for item, value in current.items()]
    rows += [("study", item, _text(value)) for item, value in study.items()]
    for name, entry in datasets.items():
        rows += [(f"data set {name}", "sha256", value) for value in source_sha256(frames[name])]
        rows += [(f"data set {name}", k, entry[k]) for k in RECORDED if k in entry]
    for path, record in features.items():
        changed = {k: v for k, v in record.items() if current.get(k) != v}
        rows += [(path, item, value) for item, value in changed.items()]
    return pd.DataFrame(rows, columns=["what", "item", "value"])


def _text(value: object) -> str:
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)


def git_revision() -> str:
    """Commit of the working tree, with "+" where it was changed; "unknown" outside git."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            for line in stream:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux: the generic name below
    return platform.processor() or platform.machine()


def gpu_model() -> str:
    """Name of the GPU that this process has used."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return "none used"
    return torch.cuda.get_device_name()


def blas() -> str:
    """Library of numpy's linear algebra and the kernels that it chose for this processor."""
    for library in threadpool_info():
        if library["user_api"] == "blas" and "numpy" in library["filepath"]:
            parts = (library.get(key) for key in ("internal_api", "version", "architecture"))
            return " ".join(str(part) for part in parts if part)
    return "unknown"


def device_name(device) -> str:
    """Name of a torch device as it should stand in a record."""
    import torch

    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type
