"""Which modules decide what a step of the study makes: those that its script imports.

Snakemake does not see imports. A rule therefore declares as inputs the modules that its script
imports from this package, and those that these import, wherever the import stands. Found by
parsing, so that nothing is imported while rules are read.

The cellar is left out, as is what every step runs in (`OUTSIDE`): they read, write, report and
warn, and decide no number.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path("src/mekrr")  # in the folder in which Snakemake runs
OUTSIDE = {
    "mekrr",
    "mekrr.environment",
    "mekrr.errors",
    "mekrr.files",
    "mekrr.progress",
    "mekrr.tensors",
    "mekrr.torch_settings",
    "mekrr.yaml_file",
    "mekrr.study.job",
    "mekrr.study.provenance",
}


def code_of(script: str | Path, *packages: str) -> list[str]:
    """Return the files of all modules that a script imports, directly or through others.

    Parameters
    ----------
    script : path of the script.
    packages : modules and packages that it imports by a name that is only known when it runs,
        such as ``mekrr.backbones.soap``; all modules of a package count.

    Returns
    -------
    Paths in the order of their names, the package's own folder first.
    """
    found: set[str] = set()
    waiting = [*_imported(Path(script)), *(m for p in packages for m in _modules_of(p))]
    while waiting:
        module = waiting.pop()
        if module in found or module in OUTSIDE:
            continue
        found.add(module)
        waiting += [module.rpartition(".")[0], *_imported(_file(module))]
    return [str(_file(module)) for module in sorted(found)]


@cache
def _imported(file: Path) -> tuple[str, ...]:
    """Modules of this package that a file imports."""
    return tuple(_imports(ast.parse(file.read_text(encoding="utf-8"))))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] == PACKAGE.name and _file(name) is not None:
                yield name


def _modules_of(package: str) -> list[str]:
    """A module itself, or a package with all its modules."""
    folder = PACKAGE.joinpath(*package.split(".")[1:])
    return [package, *(f"{package}.{path.stem}" for path in sorted(folder.glob("[!_]*.py")))]


@cache
def _file(module: str) -> Path | None:
    """The file of a module of this package; None if there is none of this name."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None
