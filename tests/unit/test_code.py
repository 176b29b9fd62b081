"""Declared code: what the standard library finds in the bytecode of a script, and no less."""

from modulefinder import ModuleFinder
from pathlib import Path

import pytest
from samples import ROOT

from mekrr.study import code
from mekrr.study.code import DOCSTRING, OUTSIDE, adapter_of, code_of

SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))


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


class Finder(ModuleFinder):
    """Follows imports, but not those of modules that are left out."""

    def scan_code(self, co, m):
        if m.__name__ not in OUTSIDE:
            super().scan_code(co, m)


def imported(script, *modules):
    """Files of the package that a script imports, by bytecode, functions included.

    Less those that are left out, and packages without code.
    """
    finder = Finder(path=[str(ROOT / "src")])
    finder.run_script(str(script))
    for module in modules:
        finder.import_hook(module)
    found = {
        name: Path(module.__file__)
        for name, module in finder.modules.items()
        if name.split(".")[0] == "mekrr" and name not in OUTSIDE
    }
    files = (file for file in found.values() if not DOCSTRING.fullmatch(file.read_text()))
    return sorted(str(file.relative_to(ROOT)) for file in files)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_declares_what_it_imports(script):
    assert sorted(code_of(str(script))) == imported(script)


FAMILIES = ("analytic", "chgnet", "diep", "fairchem", "mace", "schnet", "sevennet", "soap")


@pytest.mark.parametrize("family", FAMILIES)
def test_an_extraction_declares_its_adapter(family):
    script = "workflow/scripts/extract_features.py"
    declared = code_of(script, adapter_of(family))
    assert sorted(declared) == imported(script, adapter_of(family))
    assert any(f"backbones/{family}" in path for path in declared)
    others = {f"/{other}" for other in FAMILIES} - {f"/{family}"}
    assert not [path for path in set(declared) - set(code_of(script)) for o in others if o in path]


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
