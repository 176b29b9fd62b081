"""Who may import whom: the rooms of the package, from the cellar to the study.

An import counts wherever it stands, in functions as well.
"""

import re
from graphlib import TopologicalSorter

import pytest
from imported import modules, own_imports
from samples import ROOT

# A room may import itself and those before it; `cli` and `study` stand side by side.
FLOORS = [
    "cellar",
    "data",
    "backbones",
    "features",
    "kernels",
    "models",
    "selection",
    "calculator",
    "dynamics",
    "engines",
    "cli",
]
NO_WORD_OF = re.compile("snakemake", re.IGNORECASE)


def room(module):
    """The room of a module: the folder in the package, or the cellar, which has none."""
    parts = module.split(".")
    if module in {"mekrr", "mekrr.__main__"}:
        return "cli"  # the entrances of the library
    if len(parts) == 2 and modules()[module].stem != "__init__":
        return "cellar"
    return parts[1]


def allowed(name):
    """The rooms that a room may import."""
    return [*FLOORS[:-1], "study"] if name == "study" else FLOORS[: FLOORS.index(name) + 1]


def forbidden(module):
    """What a module imports from rooms that it must not know; `mekrr` itself is free to all."""
    return sorted(
        other
        for other in own_imports(module) - {"mekrr"}
        if room(other) not in allowed(room(module))
    )


def test_every_module_is_in_a_room():
    assert {room(module) for module in modules()} == {*FLOORS, "study"}


@pytest.mark.parametrize("name", [*FLOORS, "study"])
def test_a_room_imports_only_those_before_it(name):
    assert {m: bad for m in modules() if room(m) == name and (bad := forbidden(m))} == {}


def test_contributors_are_told_of_every_room_and_of_no_other_file():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rooms = {*FLOORS, "study"} - {"cellar"}
    assert set(re.findall(r"^\| `(\w+)/` \|", text, re.MULTILINE)) == rooms
    named = re.findall(r"`((?:src|tests|config)/[\w/.]+)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_library_does_not_know_what_runs_it():
    library = {m: path for m, path in modules().items() if room(m) != "study"}
    said = {m for m, path in library.items() if NO_WORD_OF.search(path.read_text("utf-8"))}
    assert said == set()


def test_the_engine_of_kernels_is_their_own():
    engine = {m for m in modules() if m.startswith("mekrr.kernels.engine")}
    assert {m for m in modules() if own_imports(m) & engine and room(m) != "kernels"} == set()


def test_no_module_imports_itself_through_others():
    graph = {m: own_imports(m) - {"mekrr"} for m in modules() if m != "mekrr"}
    TopologicalSorter(graph).prepare()  # raises a CycleError that names the circle
