"""How a run of molecular dynamics is made, and the integrators that make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.verlet import VelocityVerlet

NVE, LANGEVIN, BUSSI = "nve", "langevin", "bussi"


@dataclass(frozen=True)
class Settings:
    """How a run is made.

    Attributes
    ----------
    ensemble : "nve", energy conserved by velocity Verlet; "langevin", by Langevin's equation, or
        "bussi", by velocities rescaled at random (Bussi, Donadio, Parrinello, 2007), temperature
        kept.
    temperature : K, of velocities that are drawn and of the thermostat.
    timestep : fs.
    steps : integration steps.
    every : steps between two rows of the log.
    frames_every : steps between two frames.
    seed : of velocities that are drawn and of the thermostat.
    friction : 1/fs, of Langevin's equation.
    time_constant : fs, of Bussi's thermostat.
    """

    ensemble: str
    temperature: float
    timestep: float
    steps: int
    every: int
    frames_every: int
    seed: int
    friction: float | None = None
    time_constant: float | None = None


def draw_momenta(atoms: Atoms, temperature: float, rng: np.random.Generator) -> None:
    """Give atoms momenta of a temperature (K) by Maxwell and Boltzmann, those that are free."""
    spread = np.sqrt(atoms.get_masses() * (units.kB * temperature))
    atoms.set_momenta(rng.standard_normal((len(atoms), 3)) * spread[:, None])


def integrator(atoms: Atoms, settings: Settings, rng: np.random.Generator) -> MolecularDynamics:
    """Return what moves atoms, which have momenta and a calculator, step by step.

    It keeps nothing of the past: positions, momenta and the generator's state tell all that comes.
    """
    timestep = settings.timestep * units.fs
    if settings.ensemble == NVE:
        return VelocityVerlet(atoms, timestep)
    kept: dict[str, Any] = {"temperature_K": settings.temperature, "rng": rng}
    if settings.ensemble == BUSSI:
        assert settings.time_constant is not None
        return Bussi(atoms, timestep, taut=settings.time_constant * units.fs, **kept)
    assert settings.friction is not None
    return Langevin(atoms, timestep, friction=settings.friction / units.fs, fixcm=False, **kept)
