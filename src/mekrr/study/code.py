"""Which modules decide what a step of the study makes: those that its script imports.

Snakemake does not see imports. A rule therefore declares as inputs the modules that its script
imports from this package, and those that these import, wherever the import stands.

Left out is the cellar, as is what every step runs in (`OUTSIDE`): they read, write, report and
warn, and decide no number. So are packages that hold nothing but their docstring.

Snakemake reads the rules anew in each job: imports are found by a pattern, in a tenth of the
time that a parser takes. Tests hold them against one, and against what jobs really import.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path("src/mekrr")  # in the folder in which Snakemake runs
IMPORT = re.compile(
    r"^ *(?:import|from) (mekrr[\w.]*)(?: import (?:\(([^)]*)\)|(.*)))?", re.MULTILINE
)
DOCSTRING = re.compile(r'"""[^"]*"""\s*')
OUTSIDE = {
    "mekrr",
    "mekrr.choices",
    "mekrr.closed",
    "mekrr.environment",
    "mekrr.errors",
    "mekrr.files",
    "mekrr.paths",
    "mekrr.progress",
    "mekrr.tensors",
    "mekrr.torch_settings",
    "mekrr.yaml_file",
    "mekrr.study.job",
    "mekrr.study.provenance",
}


def code_of(script: str, *modules: str) -> list[str]:
    """Return the files of all modules that a script imports, directly or through others.

    Parameters
    ----------
    script : path of the script.
    modules : those that it imports by a name that is only known when it runs, such as
        ``mekrr.backbones.soap``.

    Returns
    -------
    Paths in the order of the modules' names.
    """
    found: set[str] = set()
    waiting = [*_imported(Path(script)), *modules]
    while waiting:
        module = waiting.pop()
        if module in found or module in OUTSIDE:
            continue
        found.add(module)
        waiting += [module.rpartition(".")[0], *_imported(_file(module))]
    files = [_file(module) for module in sorted(found)]
    return [str(file) for file in files if not DOCSTRING.fullmatch(_text(file))]


@cache
def _imported(file: Path) -> tuple[str, ...]:
    """Modules of this package that a file imports."""
    return tuple(_imports(_text(file)))


def _imports(text: str) -> Iterator[str]:
    for module, several, one in IMPORT.findall(text):
        for name in (module, *(f"{module}.{name}" for name in re.findall(r"\w+", several or one))):
            if _file(name) is not None:
                yield name


@cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@cache
def _file(module: str) -> Path | None:
    """The file of a module of this package; None if there is none of this name."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None
