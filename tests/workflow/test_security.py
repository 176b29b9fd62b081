"""Names and values of a study run nothing, and nothing of the machine gets into its results."""

import getpass
import os
import re
import socket
from pathlib import Path

import pytest
from studies import default_config

from mekrr.errors import ConfigError
from mekrr.study.config import check_config

ODD = """-it's "odd" $(touch pwned); `touch pwned` & * ü \\ frames.extxyz"""
SECRETS = {
    "USER": "a-user-of-this-machine",
    "LOGNAME": "a-user-of-this-machine",
    "HF_TOKEN": "hf_a-token-that-must-stay-secret",
}


def assert_nothing_ran(project):
    assert not list(project.folder.rglob("pwned*"))


def telling(project):
    """What tells of this machine: places, names of user and host, secrets."""
    places = {str(project.folder), os.path.realpath(project.folder), str(Path.home())}
    names = {*SECRETS.values()}
    for name in (socket.gethostname(), getpass.getuser()):
        if len(name) > 4:  # shorter ones, as vm and root, are words of other meanings too
            names.add(name)
    text = "|".join(map(re.escape, sorted(names)))
    places = "|".join(map(re.escape, sorted(places - {"/"})))
    return re.compile(rf"(?:{places})(?![\w-])|\b(?:{text})\b".encode())


def test_odd_file_name_and_values(project):
    """A path that begins with a dash and holds what means something to a shell."""
    project.data.rename(project.folder / ODD)
    project.config["datasets"]["mine"] |= {"path": ODD, "title": ODD, "citation": ODD}
    result = project.run("results/features/mine/toy.safetensors")
    assert result.returncode == 0, result.stderr
    assert_nothing_ran(project)


def test_braces_are_refused(project):
    path = "{dataset}.extxyz"
    project.data.rename(project.folder / path)
    project.config["datasets"]["mine"]["path"] = path
    result = project.run()
    assert "mekrr: error: config: datasets.mine.path: {dataset}.extxyz: " in result.stderr
    assert "rename the file" in result.stderr


def test_results_and_report_tell_nothing_of_the_machine(project):
    path = project.folder / ODD
    project.data.rename(path)
    project.config["datasets"]["mine"] |= {"path": str(path), "title": ODD, "theory": ODD}
    project.config["study"] |= {"splits": ["random"], "seeds": [0]}
    targets = ("results/tables/provenance.csv", "results/tables/same_dataset.csv")
    result = project.run(*targets, **SECRETS)
    assert result.returncode == 0, result.stderr
    assert_nothing_ran(project)
    result = project.run(*targets, "--report", "results/report.html", **SECRETS)
    assert result.returncode == 0, result.stderr
    files = [path for path in (project.folder / "results").rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"report.html", "provenance.csv", "toy.safetensors", "mekrr.predictions.csv"} <= names
    pattern = telling(project)
    for path in files:
        found = pattern.search(path.read_bytes())
        assert found is None, f"{path}: {found[0]}"


@pytest.mark.parametrize("name", ["a b", "../up", "-x", "$(touch pwned)", "a/b", "ü", ""])
@pytest.mark.parametrize("registry", ["datasets", "backbones", "networks"])
def test_names_that_become_paths_are_plain(registry, name):
    config = default_config()
    config[registry][name] = dict(next(iter(config[registry].values())))
    config["study"][registry] = [name]
    with pytest.raises(ConfigError, match=registry):
        check_config(config)
