"""Energies and forces of chosen frames, by a calculator of ASE or by a command with files."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr.data.frames import read_frames, write_frames
from mekrr.errors import ConfigError, DataError, MekrrError, first_line
from mekrr.files import scratch_folder
from mekrr.progress import progress_bar

SAME = 1e-4  # Å, between a frame and what comes back of it


def labelled(frames: Sequence[Atoms], label: dict, scratch: Path) -> list[Atoms]:
    """Return the frames with energies (eV) and forces (eV/Å).

    Parameters
    ----------
    label : ``calculator`` and ``options``, or ``command``, see `mekrr.study.config.active.Label`.
    scratch : file beside which a command's files are, while it runs.

    Raises
    ------
    ConfigError
        If the calculator cannot be made.
    DataError
        If a frame cannot be labelled, or a command fails or gives back other frames.
    """
    if "command" in label:
        return _by_command(frames, label["command"], scratch)
    return _by_calculator(frames, calculator_of(label["calculator"], label.get("options", {})))


def calculator_of(name: str, options: dict) -> Calculator:
    """Return the calculator that ``module:function`` makes; a ConfigError if it cannot."""
    module, _, function = name.partition(":")
    try:
        return getattr(import_module(module), function)(**options)
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigError(f"active.label.calculator: {name}: {first_line(error)}") from error


def _by_calculator(frames: Sequence[Atoms], calculator: Calculator) -> list[Atoms]:
    found = []
    with progress_bar(len(frames), "labels", "frames") as bar:
        for number, atoms in enumerate(frames):
            frame = atoms.copy()
            frame.calc = calculator
            try:
                energy = float(frame.get_potential_energy())
                forces = np.array(frame.get_forces(apply_constraint=False))
            except MekrrError as error:
                raise DataError(f"frame {number}: cannot be labelled: {error}") from error
            frame.calc = SinglePointCalculator(frame, energy=energy, forces=forces)
            found.append(frame)
            bar.update()
    return found


def _by_command(frames: Sequence[Atoms], command: str, scratch: Path) -> list[Atoms]:
    with scratch_folder(scratch) as folder:
        given, result = folder / "to_label.extxyz", folder / "labelled.extxyz"
        from ase.io import write

        write(given, [atoms.copy() for atoms in frames], format="extxyz")
        names = {"input": shlex.quote(str(given)), "output": shlex.quote(str(result))}
        line = command.replace("{input}", names["input"]).replace("{output}", names["output"])
        status = subprocess.run(line, shell=True, check=False).returncode
        if status:
            raise DataError(
                f"active.label.command ended with status {status}; see the log, mend it and run "
                f"again: {line}"
            )
        if not result.is_file():
            raise DataError(f"active.label.command wrote no {{output}}; mend it: {line}")
        found = read_frames(result, least=1)
    if len(found) != len(frames):
        raise DataError(
            f"active.label.command gave {len(found)} frames for {len(frames)}; mend it: {line}"
        )
    for number, (one, other) in enumerate(zip(frames, found, strict=True)):
        same = len(one) == len(other) and (one.numbers == other.numbers).all()
        if not same or np.abs(one.positions - other.positions).max() > SAME:
            raise DataError(
                f"active.label.command: frame {number} came back with other atoms; keep order and "
                "positions"
            )
        if "forces" not in other.calc.results:
            raise DataError(f"active.label.command: frame {number} came back without forces")
    return found


def rewritten(path: str | Path, frames: Sequence[Atoms]) -> None:
    """Write frames numbered from 0, all of one run."""
    for number, atoms in enumerate(frames):
        atoms.info = {"frame": number, "run": 0}
    write_frames(path, frames)
