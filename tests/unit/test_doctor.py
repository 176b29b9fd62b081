"""`mekrr doctor`: it names what is missing or does not fit, and fails only for the latter."""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from samples import ROOT

from mekrr import environment, packages
from mekrr.backbones import load
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
    assert "chgnet           not installed: pip install 'chgnet>=" in printed


def test_what_installs_an_extra_names_its_packages(monkeypatch):
    """Not this one, of which an index has nothing, or another's; on machines without them too."""
    for extra in packages.extras():
        command, *wanted = packages.install_extra(extra).split(" '")
        assert (command, len(wanted)) == ("pip install", len(list(packages.needs(extra))))
        assert all(re.fullmatch(r"(?!mekrr)[\w-]+>=[\d.]+'", one) for one in wanted)
    monkeypatch.setattr(
        packages, "requires", lambda name: [f"{name}-x; extra == 'y' and os_name == 'z'"]
    )
    assert packages.install_extra("y") == "its packages (y) are not for this machine"


def test_no_message_has_a_hint_of_its_own():
    """`mekrr.packages` is the source of all; MACE and franken have environments to be made."""
    own = [path for path in (ROOT / "src").rglob("*.py") if "pip install" in path.read_text()]
    assert {path.name for path in own} == {"packages.py", "load.py"}
    (line,) = [x for x in Path(load.__file__).read_text().splitlines() if "pip install" in x]
    assert "if extra is None" in line  # of a package that the library itself needs


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
