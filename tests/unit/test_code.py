"""Declared code: what the standard library finds in the bytecode of a script, and no less."""

from pathlib import Path

import pytest
from bytecode import imported
from samples import ROOT

from mekrr.backbones.families import families, module_of
from mekrr.study import code
from mekrr.study.code import OUTSIDE, code_of

SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))


def modules_with(function, room):
    """Names of the modules of a room of the study that define a function."""
    paths = sorted((ROOT / "src/mekrr/study" / room).glob("*.py"))
    return [path.stem for path in paths if f"\ndef {function}(step" in path.read_text()]


PLOTS, TABLES = modules_with("figures", "plots"), modules_with("write", "tables")


@pytest.fixture(autouse=True)
def root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write modules of a package of this name, by their paths in it."""
    monkeypatch.chdir(tmp_path)
    for cached in (code._file, code._text, code._imported):
        monkeypatch.setattr(code, cached.__name__, cached.__wrapped__)

    def write(modules):
        for name, text in modules.items():
            path = Path("src/mekrr", f"{name}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_declares_what_it_imports(script):
    assert sorted(code_of(str(script))) == imported(script)


@pytest.mark.parametrize("family", families())
def test_an_extraction_declares_its_adapter_and_no_other(family):
    script, adapter = "workflow/scripts/extract_features.py", module_of(families()[family].adapter)
    declared = code_of(script, adapter)
    assert sorted(declared) == imported(script, adapter)
    own = set(declared) - set(code_of(script))
    assert f"src/{adapter.replace('.', '/')}.py" in own
    others = tuple(f"src/mekrr/backbones/{name}/" for name in families() if name != family)
    assert not [path for path in own if path.startswith(others)]


NAMED = [("figure", "plots", rule) for rule in PLOTS] + [
    ("table", "tables", name) for name in TABLES
]


@pytest.mark.parametrize(("script", "room", "name"), NAMED)
def test_a_figure_or_table_declares_what_its_module_imports(script, room, name):
    script, module = f"workflow/scripts/{script}.py", f"mekrr.study.{room}.{name}"
    assert sorted(code_of(script, module)) == imported(script, module)


def test_imports_through_others_and_within_functions(package):
    package(
        {
            "a": "from mekrr.b import (\n    f,\n    g,\n)",
            "b": "def f():\n    from mekrr.room import c",
            "room/c": "import numpy",
            "room/__init__": '"""A room."""\n',
            "d": "from mekrr.room.e import x",
            "room/e": "x = 1",
        }
    )
    Path("script.py").write_text("from mekrr.a import f\n")
    assert code_of("script.py") == ["src/mekrr/a.py", "src/mekrr/b.py", "src/mekrr/room/c.py"]
    assert code_of("script.py", "mekrr.d")[-1] == "src/mekrr/room/e.py"


def test_a_package_with_code_counts(package):
    package(
        {
            "room/__init__": '"""A room."""\nfrom mekrr.other import x\n',
            "room/c": "",
            "other": "x = 1",
        }
    )
    Path("script.py").write_text("from mekrr.room.c import y\n")
    names = ("other.py", "room/__init__.py", "room/c.py")
    assert code_of("script.py") == [f"src/mekrr/{name}" for name in names]


def test_what_is_left_out_is_there():
    assert {module for module in OUTSIDE if code._file(module) is None} == set()


SHORT = 25


def test_scripts_hold_no_logic():
    lengths = {path.stem: len(path.read_text().splitlines()) for path in SCRIPTS}
    assert {name for name, length in lengths.items() if length > SHORT} == set()
