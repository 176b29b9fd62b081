"""`mekrr doctor`: it names what is missing or does not fit, and fails only for the latter."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from mekrr import environment
from mekrr.cli import doctor, main

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def without_backbones(monkeypatch):
    """Loading the networks takes seconds and is `mekrr backbones`' matter."""
    monkeypatch.setattr("mekrr.backbones.registry.registered", lambda path: {})


def run(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    return ended.value.code, capsys.readouterr().out


def with_versions(monkeypatch, **versions):
    def version(package, own=doctor.version):
        if package not in versions:
            return own(package)
        if versions[package] is None:
            raise PackageNotFoundError(package)
        return versions[package]

    monkeypatch.setattr(doctor, "version", version)


def test_a_sound_environment(without_backbones, capsys):
    status, printed = run(capsys)
    assert status == 0
    assert "no problems found" in printed
    assert f"python           {sys.version.split()[0]}, {sys.executable}" in printed


def test_a_missing_extra_is_told_with_its_cure_and_is_no_problem(
    without_backbones, capsys, monkeypatch
):
    with_versions(monkeypatch, chgnet=None)
    status, printed = run(capsys)
    assert status == 0
    assert "chgnet           not installed (chgnet): pip install 'mekrr[chgnet]'" in printed


def test_versions_that_do_not_fit_are_problems(without_backbones, capsys, monkeypatch):
    with_versions(monkeypatch, numpy="1.26", ase=None)
    status, printed = run(capsys)
    assert status == 1
    problems = printed.split("\nproblems\n")[1]
    assert "numpy 1.26 is installed, mekrr needs >=2: pip install 'numpy>=2'" in problems
    assert "ase is not installed: pip install 'ase" in problems


def test_a_backbone_that_computes_nothing_is_a_problem(capsys, monkeypatch):
    def broken(backbone):
        raise RuntimeError("no kernel image is available\nfor this device")

    monkeypatch.setattr("mekrr.backbones.registry.registered", lambda path: {"mine": None})
    monkeypatch.setattr("mekrr.cli.backbones.weights_of", lambda name, entry: ("here", object()))
    monkeypatch.setattr("mekrr.cli.backbones.widths_of", broken)
    status, printed = run(capsys)
    assert status == 1
    assert "mine computes no features: RuntimeError: no kernel image is available\n" in printed


def test_the_revision_is_that_of_this_code_alone(tmp_path, monkeypatch):
    """A model fitted within another project's clone does not get that project's commit."""
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "theirs"]):
        given = ["-c", "user.name=n", "-c", "user.email=e@e"]
        subprocess.run(["git", *given, *arguments], cwd=tmp_path, check=True)
    ours = environment.git_revision()
    monkeypatch.chdir(tmp_path)
    assert environment.git_revision() == ours
    inside = tmp_path / "mekrr/__init__.py"
    inside.parent.mkdir()
    inside.touch()
    monkeypatch.setattr("mekrr.__file__", str(inside))
    assert environment.git_revision() == "unknown"
