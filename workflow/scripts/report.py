"""Snakemake's own report of the study as it is configured here."""

import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from mekrr.errors import MekrrError
from mekrr.files import atomic_path
from mekrr.study.job import job
from mekrr.study.tables.printing.escapes import inert_report

with job(snakemake), tempfile.TemporaryDirectory() as folder:
    # All of the configuration, overlays included.
    config = Path(folder) / "config.yaml"
    config.write_text(yaml.safe_dump(snakemake.config))
    with atomic_path(snakemake.output[0]) as temporary:
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "--report"]
        done = subprocess.run(
            [*command, temporary, "--configfile", config],
            capture_output=True,
            text=True,
            check=False,
        )
        print(done.stderr)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1]
            raise MekrrError(f"report: snakemake says: {last}; see {snakemake.log[0]}")
        page = temporary.read_text(encoding="utf-8")
        temporary.write_text(inert_report(page), encoding="utf-8")
