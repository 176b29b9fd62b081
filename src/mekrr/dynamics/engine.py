"""Molecular dynamics that ends where it leaves the physics, and goes on where it was killed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet

from mekrr.dynamics.limits import Limits, closeness
from mekrr.dynamics.state import read_state, write_state
from mekrr.errors import MekrrError, first_line

PAUSE = 30.0  # seconds between two states on disk


class Row(NamedTuple):
    """A row of the log: fs, eV, eV, K, and what `closeness` returns."""

    time_fs: float
    total_energy: float
    potential_energy: float
    temperature_K: float
    closest: float


@dataclass(frozen=True)
class Settings:
    """How a run is made.

    Attributes
    ----------
    ensemble : "NVE", by velocity Verlet, or "NVT", by Langevin's equation.
    temperature : K, of the velocities drawn and of the thermostat.
    timestep : fs. friction : 1/fs, of the thermostat.
    steps : integration steps.
    every : steps between two rows of the log.
    frames_every : steps between two frames, a multiple of ``every``.
    seed : of velocities and thermostat.
    """

    ensemble: str
    temperature: float
    timestep: float
    friction: float
    steps: int
    every: int
    frames_every: int
    seed: int


@dataclass
class Run:
    """What a run has left so far.

    Attributes
    ----------
    rows : of the log.
    times : fs, of the frames. frames, forces : (n, 3) Å and eV/Å, of each. energies : eV.
    left : why it ended before its time; "" if it did not.
    """

    rows: list[Row] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    frames: list[np.ndarray] = field(default_factory=list)
    energies: list[float] = field(default_factory=list)
    forces: list[np.ndarray] = field(default_factory=list)
    left: str = ""

    @property
    def log(self) -> pd.DataFrame:
        """The rows as a table, with why it ended on the last."""
        table = pd.DataFrame(self.rows).assign(left="")
        table.loc[table.index[-1], "left"] = self.left
        return table

    def labelled(self, system: Atoms) -> list[Atoms]:
        """Return the frames of a system with their time, energy and forces."""
        found = []
        values = zip(self.times, self.frames, self.energies, self.forces, strict=True)
        for time_fs, positions, energy, forces in values:
            frame = Atoms(system.symbols, positions, cell=system.cell, pbc=system.pbc)
            frame.info["time_fs"] = time_fs
            frame.calc = SinglePointCalculator(frame, energy=energy, forces=forces)
            found.append(frame)
        return found

    def add_row(self, time_fs: float, atoms: Atoms) -> None:
        """Write down where it is."""
        potential, temperature = atoms.get_potential_energy(), atoms.get_temperature()
        total = potential + atoms.get_kinetic_energy()
        self.rows.append(Row(time_fs, total, potential, temperature, closeness(atoms)))

    def add_frame(self, time_fs: float, atoms: Atoms) -> None:
        """Keep a frame."""
        self.times.append(time_fs)
        self.frames.append(atoms.get_positions())
        self.energies.append(atoms.get_potential_energy())
        self.forces.append(atoms.get_forces(apply_constraint=False))

    def state(self, atoms: Atoms, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return all that it needs to go on, as arrays."""
        return {
            "log": np.array(self.rows),
            "times": np.array(self.times),
            "frames": np.array(self.frames),
            "energies": np.array(self.energies),
            "forces": np.array(self.forces),
            "positions": atoms.get_positions(),
            "momenta": atoms.get_momenta(),
            "random": np.array(json.dumps(rng.bit_generator.state)),
            "left": np.array(self.left),
        }

    @classmethod
    def taken_up(
        cls, state: Mapping[str, np.ndarray], atoms: Atoms, rng: np.random.Generator
    ) -> Run:
        """Return the run of a state, atoms and generator being put into it."""
        atoms.set_positions(state["positions"], apply_constraint=False)
        atoms.set_momenta(state["momenta"], apply_constraint=False)
        rng.bit_generator.state = json.loads(str(state["random"]))
        rows = [Row(*row) for row in state["log"].tolist()]
        arrays = {key: list(state[key]) for key in ("times", "frames", "energies", "forces")}
        return cls(rows, **arrays, left=str(state["left"]))


def simulate(
    start: Atoms,
    calculator: Calculator,
    settings: Settings,
    limits: Limits,
    checkpoint: str | os.PathLike,
    progress: Callable[[int], object] = lambda steps: None,
) -> Run:
    """Run to the end, or until limits are passed; from the checkpoint if there is one.

    All runs with the same start and settings begin with the same velocities, whatever the
    calculator. A run that goes on from its checkpoint is the unbroken one to rounding, and one
    that had ended is read from it. Whoever has written what it left removes the checkpoint.

    Parameters
    ----------
    start : its constraints and masses count, its velocities do not.
    checkpoint : the file of its state, written now and then and at the end.
    progress : called with the number of steps just done.
    """
    atoms = start.copy()
    atoms.calc = calculator
    rng = np.random.default_rng(settings.seed)
    thermalize_momenta(atoms, settings.temperature, rng=rng)
    run = Run()
    run.add_row(0.0, atoms)
    run.add_frame(0.0, atoms)
    saved = read_state(checkpoint, asdict(settings), run.state(atoms, rng))
    if saved is not None:
        run = Run.taken_up(saved, atoms, rng)
    done = round(run.rows[-1].time_fs / settings.timestep)
    progress(done)
    dynamics, written = _dynamics(atoms, settings, rng), time.monotonic()
    for step in range(done + 1, 1 + (done if run.left else settings.steps)):
        try:
            dynamics.run(1)
        except MekrrError as error:  # what the potential says of a frame that is none
            run.left = f"no energy: {first_line(error)}"
            break
        now, due = round(step * settings.timestep, 6), step % settings.every == 0
        if due or limits.too_hot(atoms.get_temperature(), settings.temperature):
            run.add_row(now, atoms)
            run.left = _left(run, len(atoms), settings, limits)
            progress((step - 1) % settings.every + 1)
        if run.left:
            break
        if step % settings.frames_every == 0:
            run.add_frame(now, atoms)
        if due and time.monotonic() - written > PAUSE:
            write_state(checkpoint, asdict(settings), run.state(atoms, rng))
            written = time.monotonic()
    write_state(checkpoint, asdict(settings), run.state(atoms, rng))
    return run


def _left(run: Run, n_atoms: int, settings: Settings, limits: Limits) -> str:
    """Return why the last row is beyond the limits, "" if it is not."""
    first, last = run.rows[0], run.rows[-1]
    drift = (last.total_energy - first.total_energy) / n_atoms
    return limits.passed(
        last.temperature_K,
        settings.temperature,
        last.closest,
        drift if settings.ensemble == "NVE" else None,
    )


def _dynamics(atoms: Atoms, settings: Settings, rng: np.random.Generator) -> MolecularDynamics:
    timestep = settings.timestep * units.fs
    if settings.ensemble == "NVE":
        return VelocityVerlet(atoms, timestep)
    return Langevin(
        atoms,
        timestep,
        temperature_K=settings.temperature,
        friction=settings.friction / units.fs,
        fixcm=False,
        rng=rng,
    )
