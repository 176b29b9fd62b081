"""The conda environments name the versions that are tested."""

import re
import tomllib

import pytest
import yaml
from samples import ROOT

# What mace-torch cannot stand beside it, and what a study of MACE has no use for.
NOT_BESIDE_MACE = {"fairchem-core", "sevenn"}
OTHER_NETWORKS = {"chgnet", "diep", "featomic", "quippy-ase", "torch-geometric"}
OF_MACE = {"cuequivariance", "cuequivariance-torch", "mace-torch"}


def named(requirements):
    """From names of packages to the versions that they are pinned to, None if to none."""
    pattern = re.compile(r"([A-Za-z0-9._-]+)(?:==([^\s;]+))?")
    return {(m := pattern.match(line))[1]: m[2] for line in requirements}


def conda(name):
    listed = yaml.safe_load((ROOT / "envs" / name).read_text())["dependencies"]
    return named(listed[-1]["pip"])


@pytest.fixture(scope="module")
def dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return named(project["dependencies"])


@pytest.fixture(scope="module")
def pins():
    return named((ROOT / "envs" / "pins.txt").read_text().splitlines())


def test_conda_has_what_is_pinned_in_the_project(dependencies):
    pinned = {name: version for name, version in dependencies.items() if version is not None}
    listed = conda("mekrr.yaml")
    assert listed.keys() <= dependencies.keys()
    assert pinned.items() <= listed.items()


@pytest.mark.parametrize("name", ["mekrr.yaml", "mace.yaml"])
def test_versions_are_the_tested_ones(name, pins):
    assert {k: v for k, v in conda(name).items() if k not in OF_MACE and pins[k] != v} == {}


def test_mace_has_what_the_others_have():
    without = NOT_BESIDE_MACE | OTHER_NETWORKS
    assert conda("mace.yaml").keys() == conda("mekrr.yaml").keys() - without | OF_MACE
