"""A Slurm of one node on this machine, and the tiny study on it and without it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from studies import Project

CLUSTER = Path(__file__).with_name("cluster.sh")
# What this small, quick cluster needs otherwise than profiles/slurm has it.
OVERLAY = [
    *("--workflow-profile", "profiles/slurm"),
    *("--default-resources", "slurm_partition=main"),
    *("--set-resources", "extract_features:slurm_partition=gpu"),
    *("--slurm-status-command", "squeue"),  # there is no accounting
    *("--slurm-init-seconds-before-status-checks", "2"),
    *("--seconds-between-status-checks", "2"),
    *("--max-jobs-per-timespan", "20/1s"),
    *("--latency-wait", "5"),
]


class Cluster:
    """A running Slurm."""

    def run(self, project: Project, *arguments: str) -> list[dict[str, str]]:
        """Run the study of ``project`` to its end; what Slurm says of each job that did it."""
        result = project.run(*OVERLAY, *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        name = re.search(r"SLURM run ID: (\S+)", result.stderr)[1]
        command = ["scontrol", "--oneliner", "show", "jobs"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        jobs = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in shown.splitlines()]
        return [job for job in jobs if job.get("JobName") == name]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    subprocess.run([CLUSTER, "start", folder], check=True)
    yield Cluster()
    subprocess.run([CLUSTER, "stop", folder], check=True)


@pytest.fixture(scope="session")
def studies(tmp_path_factory):
    """Makes copies of the project with the tiny study in shards and blocks."""

    def make(name: str) -> Project:
        project = Project(tmp_path_factory.mktemp(name) / "project")
        project.config["study"] |= {"splits": ["random"], "seeds": [0]}
        project.config["ablation"] = {"seeds": [0]}
        project.config["datasets"]["mine"] |= {"frames": 24, "atoms": 4}
        project.config["features"] = {"shard_frames": 8}
        project.config["kernels"] = {"block_frames": 12}
        return project

    return make
