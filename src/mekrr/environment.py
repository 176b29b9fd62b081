"""What numbers depend on beside data and code: versions, revision and hardware."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_info

import mekrr

if TYPE_CHECKING:
    import torch

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
)


def collect(*others: str) -> dict[str, str]:
    """Return versions of the packages that decide the numbers, git revision and hardware.

    Parameters
    ----------
    others : packages beyond those of the library, whose versions are wanted as well.
    """
    record = {
        "mekrr": mekrr.__version__,
        "git": git_revision(),
        "python": platform.python_version(),
    }
    for package in (*PACKAGES, *others):
        try:
            record[package] = version(package)
        except PackageNotFoundError:
            record[package] = "not installed"
    record["platform"] = f"{platform.system()} {platform.machine()}"
    record["cpu"] = cpu_model()
    record["blas"] = blas()
    record["cores"] = str(os.cpu_count())
    return record


def git_revision() -> str:
    """Commit of this code, with "+" where its tree was changed; "unknown" if git has it not."""
    try:
        if not _git("ls-files", mekrr.__file__):
            return "unknown"  # and not the commit of a project around it
        commit = _git("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    folder = Path(mekrr.__file__).parent
    return subprocess.run(
        ["git", "-C", folder, *arguments], capture_output=True, text=True, check=True
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


def device_name(device: torch.device) -> str:
    """Name of a torch device as it should stand in a record."""
    import torch

    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type
