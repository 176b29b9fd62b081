"""A fit by franken in a process of its own: frames handed over as files, predictions read back."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr.data.labels import energy_of, forces_of
from mekrr.errors import DataError, printable
from mekrr.study.franken import program
from mekrr.study.franken.environment import FrankenError, needed_interpreter


@dataclass(frozen=True)
class Fitted:
    """What a fit gives.

    Attributes
    ----------
    energy : (n_frames,) eV, of all frames that were asked for.
    forces : per frame whose forces were asked for, (n_atoms, 3) in eV/Å.
    found : franken's version, choices (l2_penalty, force_weight), seconds of the processor
        (training, prediction).
    """

    energy: np.ndarray
    forces: list[np.ndarray]
    found: dict[str, Any]


@dataclass(frozen=True)
class Program:
    """franken's program, and what it is told.

    Attributes
    ----------
    settings : checkpoint and random_features, see `mekrr.study.franken.program`.
    log : file for its output.
    command : what is run, with the folder of a fit as its last argument; None: the program, by
        the Python that can import franken.
    """

    settings: Mapping[str, Any]
    log: Path
    threads: int = 1
    command: Sequence[str] | None = None

    def fit(
        self,
        train: Sequence[Atoms],
        val: Sequence[Atoms],
        frames: Sequence[Atoms],
        with_forces: Sequence[Atoms],
    ) -> Fitted:
        """Fit to frames with energies (eV) and forces (eV/Å), and predict.

        Parameters
        ----------
        train, val : frames that are learnt, and by which is chosen.
        frames, with_forces : of which energies, and forces are predicted; their labels stay here.

        Raises
        ------
        DataError
            If a frame to learn from has no forces.
        FrankenError
            If franken is not installed, fails, or predicts what is not finite.
        """
        parts = {"train": _labelled(train, "training"), "val": _labelled(val, "validation")}
        parts |= {"frames": map(bare, frames), "forces": map(bare, with_forces)}
        command = self.command or [needed_interpreter(), "-P", program.__file__]
        with tempfile.TemporaryDirectory(prefix="franken-") as folder:
            place = Path(folder)
            for name, atoms in parts.items():
                ase.io.write(place / f"{name}.extxyz", list(atoms), format="extxyz")
            settings = {**self.settings, "threads": self.threads}
            (place / "settings.json").write_text(json.dumps(settings))
            self._run([*command, folder], folder)
            return _read(place, [len(atoms) for atoms in with_forces])

    def _run(self, command: Sequence[str], folder: str) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        own = {"OMP_NUM_THREADS": str(self.threads), "FRANKEN_CACHE_DIR": folder}
        with open(self.log, "w", encoding="utf-8") as stream:
            done = subprocess.run(
                command,
                cwd=folder,
                env=os.environ | own,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode < 0:
            raise FrankenError(
                f"franken was ended by signal {-done.returncode}, as if memory ran out; see "
                f"{self.log}, and lower franken.random_features"
            )
        if done.returncode:
            said = self.log.read_text("utf-8", errors="replace").strip().splitlines() or ["nothing"]
            raise FrankenError(f"franken failed: {printable(said[-1])[:200]}; see {self.log}")


def _labelled(frames: Sequence[Atoms], part: str) -> list[Atoms]:
    """Return frames with no more than their labels; refuse those without forces."""
    labelled = []
    for k, atoms in enumerate(frames):
        energy, forces = energy_of(atoms), forces_of(atoms)
        if forces is None:
            raise DataError(
                f"{part} frame {k} has no forces, from which franken learns; leave the data set "
                "out (franken.skip)"
            )
        copy = bare(atoms)
        copy.calc = SinglePointCalculator(copy, energy=energy, forces=forces)
        labelled.append(copy)
    return labelled


def bare(atoms: Atoms) -> Atoms:
    """Return species, positions and cell alone."""
    return Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def _read(folder: Path, sizes: Iterable[int]) -> Fitted:
    with np.load(folder / "predicted.npz") as tensors:  # which unpickles nothing
        energy, forces = tensors["energy"], tensors["forces"]
    if not (np.isfinite(energy).all() and np.isfinite(forces).all()):
        raise FrankenError("franken predicts what is not finite; raise franken.random_features")
    ends = np.cumsum(list(sizes))
    return Fitted(
        energy, np.split(forces, ends[:-1]), json.loads((folder / "found.json").read_text())
    )
