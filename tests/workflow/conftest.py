"""A copy of the project in which workflow tests run, so that nothing here is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import ase.io
import pytest
import yaml
from samples import ROOT, labelled

PARTS = ("Snakefile", "config", "envs", "profiles", "src", "workflow")


class Project:
    """A copy of the workflow with a tiny study: 24 frames, the analytic backbone."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / part)
        self.data = folder / "my frames.extxyz"
        ase.io.write(self.data, labelled(24), format="extxyz")
        self.config = {
            "study": {
                "datasets": ["mine"],
                "backbones": ["toy"],
                "splits": ["random", "run"],
                "seeds": [0, 1],
            },
            "grid": {
                "alpha": {"smallest": 0.01, "count": 3},
                "regularisation": {"smallest": 1.0e-8, "largest": 1.0e-2, "count": 3},
            },
            "datasets": {
                "mine": {
                    "path": self.data.name,
                    "collective_variables": [{"distance": ["Cu", "Cu"]}],
                }
            },
            "backbones": {"toy": {"family": "analytic", "layers": [1, 2], "heatmap_layer": 2}},
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run snakemake on the tiny study."""
        overlay = self.folder / "overlay.yaml"
        overlay.write_text(yaml.safe_dump(self.config))
        command = [sys.executable, "-m", "snakemake", "--cores", "2"]
        # PYTHONPATH: the jobs use the copy's package, whose modules tests may change.
        environment = os.environ | {"PYTHONPATH": str(self.folder / "src"), "COLUMNS": "120"}
        return subprocess.run(
            [*command, *arguments, "--configfile", overlay.name],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def planned(self, *arguments: str) -> dict[str, int]:
        """Jobs that a dry run would start, by rule."""
        result = self.run(*arguments, "--dry-run", "--quiet", "rules")
        assert result.returncode == 0, result.stdout + result.stderr
        jobs = {}
        for line in result.stdout.splitlines() + result.stderr.splitlines():
            words = line.split()
            if len(words) == 2 and words[1].isdigit() and words[0] != "total":
                jobs[words[0]] = int(words[1])
        return jobs


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The tiny study, run once; tests only read it."""
    project = Project(tmp_path_factory.mktemp("finished") / "project")
    result = project.run()
    assert result.returncode == 0, result.stdout + result.stderr
    return project


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished study that a test may change."""
    project = Project.__new__(Project)
    project.folder = tmp_path / "project"
    shutil.copytree(finished.folder, project.folder)
    project.data = project.folder / finished.data.name
    project.config = yaml.safe_load(yaml.safe_dump(finished.config))
    return project
