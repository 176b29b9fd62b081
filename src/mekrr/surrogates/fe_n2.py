"""N2 on Fe(111), labelled with DIEP: the stand-in for the private Fe/N2 data sets.

Langevin dynamics of an adsorbed N2 molecule on a 3x3x5 Fe(111) slab. In a reactive run
the molecule is dissociated by a moving harmonic restraint on the N-N distance

    V(d, t) = k/2 (d - d0(t))²,

with d0 drawn linearly through the barrier; the restraint is then switched off and the
atoms are left to the potential alone. Labels are always the unbiased DIEP energies and
forces; the restraint acts on the dynamics only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.build import bcc111
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import FIRE


@dataclass(frozen=True)
class Steering:
    """Schedule of the moving restraint; distances in Å, times in fs, stiffness in eV/Å²."""

    start: float
    ramp: float
    d_from: float
    d_to: float
    stiffness: float

    def target(self, time: float) -> float | None:
        """Restrained N-N distance (Å) at ``time`` (fs); None while the restraint is off."""
        progress = (time - self.start) / self.ramp
        if not 0.0 <= progress <= 1.0:
            return None
        return self.d_from + progress * (self.d_to - self.d_from)


class DistanceRestraint:
    """ASE constraint: harmonic bias on one distance, towards a target that may move.

    ``target`` is in Å, or None to switch the bias off. It changes the forces that the
    integrator sees, never the calculator's results, so labels stay unbiased.
    """

    def __init__(self, i: int, j: int, stiffness: float):
        self.i, self.j, self.stiffness = i, j, stiffness
        self.target: float | None = None

    def get_removed_dof(self, atoms: Atoms) -> int:
        return 0

    def adjust_positions(self, atoms: Atoms, new: np.ndarray) -> None:
        """A restraint moves nothing by itself."""

    def adjust_momenta(self, atoms: Atoms, momenta: np.ndarray) -> None:
        """A restraint removes no degree of freedom."""

    def adjust_forces(self, atoms: Atoms, forces: np.ndarray) -> None:
        if self.target is None:
            return
        bond = atoms.positions[self.j] - atoms.positions[self.i]
        distance = np.linalg.norm(bond)
        pull = self.stiffness * (distance - self.target) * bond / distance
        forces[self.i] += pull
        forces[self.j] -= pull

    def adjust_potential_energy(self, atoms: Atoms) -> float:
        """Bias energy (eV). Its presence makes ASE apply the bias during dynamics too."""
        if self.target is None:
            return 0.0
        distance = np.linalg.norm(atoms.positions[self.j] - atoms.positions[self.i])
        return 0.5 * self.stiffness * (distance - self.target) ** 2


def build_slab(
    lattice_constant: float, size: tuple[int, int, int], vacuum: float, fixed_layers: int
) -> Atoms:
    """Fe(111) slab, periodic in all directions, its lowest layers fixed.

    ``lattice_constant`` and ``vacuum`` (on each side) are in Å.
    """
    slab = bcc111("Fe", size, a=lattice_constant, vacuum=vacuum, periodic=True)
    heights = np.unique(slab.positions[:, 2].round(4))
    slab.set_constraint(FixAtoms(mask=slab.positions[:, 2] < heights[fixed_layers] - 1e-2))
    return slab


def add_n2(slab: Atoms, offset: list[list[float]]) -> Atoms:
    """Slab plus N2, the two atoms at ``offset`` (2, 3) (Å) from the topmost Fe atom."""
    top = slab.positions[slab.positions[:, 2].argmax()]
    atoms = slab.copy()
    atoms += Atoms("N2", positions=top + np.asarray(offset, dtype=float))
    return atoms


def simulate(
    atoms: Atoms,
    calculator,
    *,
    temperature: float,
    timestep: float,
    friction: float,
    equilibration: int,
    steps: int,
    every: int,
    seed: int,
    steering: Steering | None = None,
    progress: Callable[[int], None] = lambda steps: None,
) -> list[Atoms]:
    """Langevin dynamics; returns every ``every``-th frame with its unbiased labels.

    Parameters
    ----------
    atoms : Atoms with N2 as the last two atoms.
    temperature : K. timestep : fs. friction : 1/fs.
    equilibration, steps : integration steps, discarded and recorded.
    seed : seeds velocities and thermostat.
    steering : restraint schedule, its clock starting after equilibration.
    progress : called with the number of steps just done.

    Returns
    -------
    list of Atoms with energy (eV) and forces (eV/Å), ``info['time_fs']`` set.
    """
    atoms = atoms.copy()
    atoms.calc = calculator
    FIRE(atoms, logfile=None).run(fmax=0.05, steps=150)
    rng = np.random.default_rng(seed)
    MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
    restraint = DistanceRestraint(
        len(atoms) - 2, len(atoms) - 1, steering.stiffness if steering else 0.0
    )
    atoms.set_constraint([*atoms.constraints, restraint])
    dynamics = Langevin(
        atoms,
        timestep * units.fs,
        temperature_K=temperature,
        friction=friction / units.fs,
        fixcm=False,
        rng=rng,
    )
    dynamics.run(equilibration)
    progress(equilibration)

    frames = []
    for step in range(0, steps, every):
        frames.append(_labelled(atoms, time=step * timestep))
        for sub in range(every):
            restraint.target = steering.target((step + sub) * timestep) if steering else None
            dynamics.run(1)
        progress(every)
    return frames


def _labelled(atoms: Atoms, time: float) -> Atoms:
    frame = atoms.copy()
    frame.set_constraint([c for c in atoms.constraints if isinstance(c, FixAtoms)])
    frame.arrays.pop("momenta", None)
    frame.info["time_fs"] = time
    frame.calc = SinglePointCalculator(
        frame,
        energy=float(atoms.calc.results["energy"]),
        forces=np.array(atoms.calc.results["forces"]),
    )
    return frame
