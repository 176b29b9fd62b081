"""Snakemake's own report of a study, as it is configured."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from mekrr.errors import MekrrError
from mekrr.files import atomic_path
from mekrr.study.tables.printing.escapes import inert_report


def write_report(path: str, config: Mapping, log: str) -> None:
    """Write one HTML file of all tables and figures, in which no text of a user can act.

    Parameters
    ----------
    config : all of the configuration, overlays included.
    log : where Snakemake's words go, for the MekrrError that is raised if it fails.
    """
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "--report"]
    with tempfile.TemporaryDirectory() as folder, atomic_path(path) as temporary:
        overlay = Path(folder, "config.yaml")
        overlay.write_text(yaml.safe_dump(config))
        done = subprocess.run(
            [*command, temporary, "--configfile", overlay],
            capture_output=True,
            text=True,
            check=False,
        )
        print(done.stderr)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1]
            raise MekrrError(f"report: snakemake says: {last}; see {log}")
        temporary.write_text(inert_report(temporary.read_text("utf-8")), encoding="utf-8")
