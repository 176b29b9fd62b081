"""What a script imports of the package, by the standard library's look at its bytecode."""

from modulefinder import ModuleFinder
from pathlib import Path

from samples import ROOT

from mekrr.study.code import DOCSTRING, OUTSIDE


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
