"""Copies of the project in which workflow tests run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import ase.io
import pytest
import yaml
from ase.calculators.singlepoint import SinglePointCalculator
from hostile import FORMULA, HOSTILE, HOSTILE_RST, LONG
from once import once
from samples import labelled
from studies import Project, as_large

IMPORTS = Path(__file__).parent / "imports"


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


def run_once(factory, name, make, *targets):
    """A finished study, run by the first of pytest's processes that asks for it.

    What its jobs imported is in ``imports.jsonl``, see imports/sitecustomize.py.
    """

    def run(folder):
        project = make(folder)
        paths = os.pathsep.join(map(str, (project.folder / "src", IMPORTS)))
        noted = {"PYTHONPATH": paths, "MEKRR_IMPORTS": str(project.folder / "imports.jsonl")}
        result = project.run(*targets, **noted)
        assert result.returncode == 0, result.stdout + result.stderr
        return project

    return once(factory, name, run)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The tiny study with sparse models and errors of forces, run once; tests only read it."""
    return run_once(tmp_path_factory, "finished", with_forces)


def with_forces(folder):
    """The tiny study with sparse models, and errors of forces under one seed."""
    project = Project(folder)
    project.config["forces"] = {"seeds": 1}
    project.config["sparse"] = {
        "backbones": ["toy"],
        "directions": {"random": 2},
        "layers": "choose",
        "inducing": 6,
    }
    return project


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the finished study that a test may change."""
    return copy_of(finished, tmp_path / "project")


def copy_of(finished, folder):
    project = Project.__new__(Project)
    project.folder = folder
    shutil.copytree(finished.folder, folder)
    project.data = folder / finished.data.name
    project.config = yaml.safe_load(yaml.safe_dump(finished.config))
    return project


@pytest.fixture(scope="session")
def finished_large(tmp_path_factory):
    """The tiny study as a large data set, run once; tests only read it."""
    return run_once(tmp_path_factory, "in-shards", in_shards, "results/figures/large.svg")


def in_shards(folder):
    """The tiny study in two shards, with sparse models alone."""
    return as_large(Project(folder))


@pytest.fixture
def copied_large(finished_large, tmp_path):
    """A copy of that study that a test may change."""
    return copy_of(finished_large, tmp_path / "project")


def add_large(project):
    """Give the tiny study a second data set of twice as many atoms, to be transferred to."""
    frames = []
    for small in labelled(24, seed=1):
        atoms = small.repeat((2, 1, 1))
        atoms.calc = SinglePointCalculator(atoms, energy=2 * small.get_potential_energy())
        atoms.info["run"] = small.info["run"]
        frames.append(atoms)
    ase.io.write(project.folder / "large.extxyz", frames, format="extxyz")
    project.config["study"] |= {
        "datasets": ["mine", "large"],
        "seeds": [0],
        "transfer": [["mine", "large"]],
    }
    project.config["datasets"]["large"] = {"path": "large.extxyz"}
    return project


@pytest.fixture
def pair(project):
    """The tiny study with two data sets, not yet run."""
    return add_large(project)


@pytest.fixture(scope="session")
def finished_pair(tmp_path_factory):
    """The same under hostile titles with its report, run once; tests only read it."""
    return run_once(tmp_path_factory, "pair", hostile_pair, "report")


def hostile_pair(folder):
    """The tiny study with two data sets, under titles that would break a page or a table."""
    project = add_large(Project(folder))
    project.config["study"]["splits"] = ["random"]
    facts = dict.fromkeys(("theory", "licence", "citation", "system"), HOSTILE)
    project.config["datasets"]["mine"] |= {"title": HOSTILE} | facts
    project.config["datasets"]["large"] |= {"title": LONG, "citation": FORMULA}
    project.config["backbones"]["toy"]["title"] = HOSTILE_RST
    project.config |= {"learning": {"n_train": []}, "ablation": {"seeds": []}}
    return project
