"""`mekrr doctor`: what is installed here, and whether it works."""

from __future__ import annotations

import argparse
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import mekrr
from mekrr.cli.arguments import Commands, registry
from mekrr.cli.printing import line
from mekrr.packages import extras, install, install_extra, needs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.requirements import Requirement


def add_command(commands: Commands) -> None:
    """Add the command to the parser's subparsers."""
    command = commands.add_parser(
        "doctor", parents=[registry()], help="print versions, hardware, extras and weights found"
    )
    command.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Print what a report of a fault should state; exit status 1 where something is amiss."""
    _print_system()
    problems = [*_packages(), *_extras(), *_backbones(options.registry)]
    print("\nproblems" if problems else "\nno problems found")
    for problem in problems:
        print(f"  {problem}")
    sys.exit(1 if problems else 0)


def _print_system() -> None:
    """Print interpreter, hardware and linear algebra."""
    import torch  # with numpy, whose BLAS is looked for among the libraries that are loaded

    from mekrr.environment import collect

    found = collect()
    print(line("mekrr", f"{found['mekrr']}, {Path(mekrr.__file__).parent}, git {found['git']}"))
    print(line("python", f"{found['python']}, {sys.executable}"))
    print(line("platform", f"{found['platform']}, {found['cpu']}, {found['cores']} cores"))
    print(line("blas", found["blas"]))
    print(line("torch", f"{found['torch']}, {torch.get_num_threads()} threads"))
    names = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for the CPU"
    print(line("gpu", ", ".join(names) if names else f"none found; torch is {built}"))


def _packages() -> Iterator[str]:
    """Print versions of what the library needs; yield what does not fit."""
    print("\npackages")
    for need in needs():
        print("  " + line(need.name, _version(need.name) or "not installed"))
        yield from _unfit(need)


def _extras() -> Iterator[str]:
    """Print versions of what each extra installs, or how to install it; yield what does not fit."""
    print("\nextras")
    for extra in extras():
        added = list(needs(extra))
        if not added or any(_version(need.name) is None for need in added):
            print("  " + line(extra, f"not installed: {install_extra(extra)}"))
            continue
        print("  " + line(extra, ", ".join(f"{n.name} {_version(n.name)}" for n in added)))
        for need in added:
            yield from _unfit(need)


def _backbones(path: str | None) -> Iterator[str]:
    """Print where the weights of every network known are; yield what its package cannot load."""
    from mekrr.backbones.registry import registered
    from mekrr.cli.backbones import weights_of, widths_of
    from mekrr.errors import first_line

    warnings.simplefilter("ignore")
    print("\nbackbones")
    for name, entry in registered(path).items():
        weights, backbone = weights_of(name, entry)
        print("  " + line(name, weights), flush=True)
        if backbone is not None:
            try:
                widths_of(backbone)
            # Whatever a library of others says is told, and the rest goes on.
            except Exception as error:
                yield f"{name} computes no features: {type(error).__name__}: {first_line(error)}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _unfit(need: Requirement) -> Iterator[str]:
    found = _version(need.name)
    if found is None:
        yield f"{need.name} is not installed: {install(need)}"
    elif not need.specifier.contains(found, prereleases=True):
        yield f"{need.name} {found} is installed, mekrr needs {need.specifier}: {install(need)}"
