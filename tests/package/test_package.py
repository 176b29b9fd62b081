"""The package as others install it: a wheel, made from the source archive, without extras.

`make test` makes its environment, .venv-package.
"""

import os
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".venv-package/bin"
FRAMES = ROOT / "workflow/resources/surrogates/cuformate.extxyz.gz"

pytestmark = pytest.mark.skipif(not BIN.exists(), reason="`make test` makes .venv-package")

FIT_AND_PREDICT = """
import sys
from pathlib import Path
import ase.io
import mekrr
assert Path(mekrr.__file__).is_relative_to(sys.prefix), mekrr.__file__
frames = ase.io.read(sys.argv[1], "::20")
fitted = mekrr.MEKRR("sevennet-0", target="delta").fit(frames[::2])
fitted.save("model")
energies, stds = mekrr.MEKRR.load("model").predict(frames[1::2], return_std=True)
errors = [e - a.get_potential_energy() for e, a in zip(energies, frames[1::2])]
worst = max(abs(error) / len(a) for error, a in zip(errors, frames[1::2]))
print(f"{worst:.6f} {min(stds):.6f}")
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run a program of that environment in an empty folder, without ours."""
    folder = tmp_path_factory.mktemp("alone")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}

    def run(program, *arguments):
        return subprocess.run(
            [BIN / program, *arguments], cwd=folder, env=inherited, capture_output=True, text=True
        )

    return run


def test_fit_and_predict(run):
    result = run("python", "-c", FIT_AND_PREDICT, FRAMES)
    assert result.returncode == 0, result.stderr
    worst, std = map(float, result.stdout.split())
    assert worst < 0.05  # eV/atom; the frames themselves span 0.05
    assert std > 0


def test_the_command_tells_its_version(run):
    result = run("mekrr", "--version")
    assert (result.returncode, result.stdout.strip()) == (0, version("mekrr"))


def test_doctor_names_what_is_missing_and_finds_the_weights(run):
    result = run("mekrr", "doctor")
    assert result.returncode == 0, result.stdout + result.stderr
    # An extra stands before a backbone of its name.
    told = {line.split()[0]: line for line in reversed(result.stdout.splitlines()) if line.strip()}
    for extra in ("chgnet", "diep", "gap", "metatomic", "soap", "study"):
        assert "not installed: pip install '" in told[extra]
    for backbone in ("sevennet-0", "schnet-catalysis"):
        assert "inside a package, sha256" in told[backbone]
    assert "not usable" in told["chgnet-0.3.0"]


def test_the_source_archive_holds_the_study():
    (archive,) = (ROOT / ".venv-package/dist").glob("*.tar.gz")
    listing = subprocess.run(["tar", "tzf", archive], capture_output=True, text=True, check=True)
    names = {line.split("/", 1)[1] for line in listing.stdout.splitlines()}
    wanted = {"Snakefile", "config/config.yaml", "tests/conftest.py", "LICENSE", "CITATION.cff"}
    assert wanted <= names
