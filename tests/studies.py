"""A tiny study in a copy of the project, so that nothing here is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import ase.io
import yaml
from samples import ROOT, labelled
from snakemake.utils import update_config

from mekrr.backbones.registry import PACKAGED

PARTS = ("Snakefile", "config", "envs", "profiles", "src", "workflow")


def default_config() -> dict:
    """The configuration of the default study, merged as Snakemake does."""
    config = {}
    names = ("config", "datasets", "backbones", "surrogates", "networks")
    for path in (PACKAGED, *(ROOT / "config" / f"{name}.yaml" for name in names)):
        update_config(config, yaml.safe_load(path.read_text()))
    return config


def tiny_network() -> dict:
    """A registry with one network that trains within seconds."""
    return {
        "tiny": {
            "method": "SchNet",
            "start": "scratch",
            "architecture": {
                "hidden_channels": 8,
                "num_filters": 4,
                "num_interactions": 1,
                "num_gaussians": 8,
                "cutoff": 3.0,
            },
            "training": {"epochs": 3, "least_steps": 0, "validate_every": 1},
        }
    }


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
                "every": 1,
                "backbones": ["toy"],
                "splits": ["random", "run"],
                "seeds": [0, 1],
                "networks": [],
                "gap": False,
            },
            "grid": {
                "alpha": {"smallest": 0.01, "count": 3},
                "regularisation": {"smallest": 1.0e-8, "largest": 1.0e-2, "count": 3},
            },
            "datasets": {
                "mine": {
                    "path": self.data.name,
                    "collective_variables": [{"distance": ["Cu", "Cu"]}],
                    "event": {"above": 2.35},
                }
            },
            "backbones": {"toy": {"family": "analytic", "layers": [1, 2], "heatmap_layer": 2}},
            "forces": {"seeds": 0},  # some jobs less of each study that a test runs
        }

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start snakemake on the tiny study, as the leader of a group of processes."""
        overlay = self.folder / "overlay.yaml"
        overlay.write_text(yaml.safe_dump(self.config))
        command = [sys.executable, "-m", "snakemake", "--cores", "2"]
        # PYTHONPATH: the jobs use the copy's package, whose modules tests may change.
        environment = {"PYTHONPATH": str(self.folder / "src"), "COLUMNS": "120"} | environment
        return subprocess.Popen(
            [*command, *arguments, "--configfile", overlay.name],
            cwd=self.folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run snakemake on the tiny study."""
        process = self.start(*arguments, **environment)
        output, errors = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

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


def as_large(project: Project) -> Project:
    """Make the tiny study one of a large data set in two shards, with sparse models alone."""
    project.config["study"] |= {"splits": ["random"], "seeds": [0]}
    project.config["datasets"]["mine"] |= {"frames": 24, "mean_atoms": 4}
    project.config["features"] = {"shard_frames": 12}
    project.config["sparse"] = {
        "backbones": ["toy"],
        "skip": [],
        "directions": {"random": 2},
        "inducing": 12,
    }
    project.config["large"] = {"above": 20}
    return project
