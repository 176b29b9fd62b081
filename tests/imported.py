"""What the modules of the package import, wherever in a module the import stands."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from samples import ROOT

SOURCE = ROOT / "src"


@cache
def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    found = {}
    for path in sorted(SOURCE.joinpath("mekrr").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """Return the dotted names that a module imports: modules, or names in modules."""
    names = set()
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import, line {node.lineno}"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


@cache
def own_imports(module: str) -> frozenset[str]:
    """Return the modules of this package that a module imports."""
    found = set()
    for name in imports(module):
        while name and name not in modules():
            name = name.rpartition(".")[0]
        found.add(name)
    return frozenset(found - {"", module})
