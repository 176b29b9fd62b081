"""What stands beside every number: versions, revision, hardware."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

import pandas as pd
from threadpoolctl import threadpool_info

import mekrr
from mekrr.files import sha256

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "ase",
    "fairchem-core",
    "sevenn",
    "chgnet",
    "diep",
    "mace-torch",
    "e3nn",
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


def study_table(
    study: Mapping,
    datasets: Mapping[str, Mapping],
    trajectories: Mapping[str, list[str]],
    features: Mapping[str, Mapping[str, str]],
) -> pd.DataFrame:
    """Table of what, item, value: this run, the study, its data, its feature files.

    Parameters
    ----------
    study : the configuration's section of that name.
    datasets : the registry's entries of the study's data sets.
    trajectories : the files of each data set.
    features : from a feature file to the record kept in it.
    """
    current = collect()
    rows = [("fits and tables", item, value) for item, value in current.items()]
    rows += [("study", item, _text(value)) for item, value in study.items()]
    for name, entry in datasets.items():
        rows += [(f"data set {name}", "sha256", sha256(path)) for path in trajectories[name]]
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
