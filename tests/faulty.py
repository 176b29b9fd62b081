"""Runs of a tiny study in which a fault strikes; see workflow/faults/sitecustomize.py."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from studies import Project

FAULTS = Path(__file__).parent / "workflow" / "faults"


def with_faults(project: Project) -> str:
    """Where a study's jobs find the package and what strikes them."""
    return f"{FAULTS}{os.pathsep}{project.folder / 'src'}"


def run_with(project: Project, fault: str, *targets: str) -> subprocess.CompletedProcess[str]:
    """Run with a fault in one step."""
    return project.run(*targets, PYTHONPATH=with_faults(project), MEKRR_FAULT=fault)


def temporary_files(project: Project) -> list[str]:
    """What is half-written."""
    return [path.name for path in (project.folder / "results").rglob(".*")]


def errors(result: subprocess.CompletedProcess[str]) -> set[str]:
    """The lines that say what is wrong."""
    return {line for line in result.stderr.splitlines() if line.startswith("mekrr: error: ")}


@contextmanager
def results_on_a_small_disk(project: Project) -> Iterator[None]:
    """Put the results on a file system of their own, of 64 MiB."""
    results, kept = project.folder / "results", project.folder / "kept"
    results.rename(kept)
    results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(results)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here ({error})")
    try:
        shutil.copytree(kept, results, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", str(results)], check=True)


def fill_up(project: Project) -> Path:
    """Take all room that is left where the results are; return the file that takes it."""
    filler = project.folder / "results" / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(filler.parent).free))
    return filler
