"""What is done to a system, each move a frame or several, most of them far from equilibrium."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms, units
from ase.data import covalent_radii
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase.optimize import FIRE

DISPLACEMENT = (0.03, 0.3)  # Å, standard deviation of each coordinate
STRAIN = 0.05  # largest component
TEMPERATURE = (300.0, 2500.0)  # K
FRICTION = 0.02  # 1/fs
TIMESTEP = 2.0  # fs
LIGHTEST = 12.0  # u; masses change no average over positions, and one time step serves all
BONDED = 1.25  # of the sum of covalent radii
STRETCH = (-0.15, 2.2)  # Å


def relaxed(atoms: Atoms, steps: Sequence[int]) -> Iterator[Atoms]:
    """Relax ``atoms``, which have a calculator; yield them after so many steps, ascending."""
    optimiser = FIRE(atoms, logfile=None, maxstep=0.1)
    done = 0
    for step in steps:
        optimiser.run(fmax=0.01, steps=step - done)
        done = step
        yield atoms


def rattled(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    """Move every atom at random."""
    moved = atoms.copy()
    sigma = np.exp(rng.uniform(*np.log(DISPLACEMENT)))
    moved.positions += sigma * rng.standard_normal(moved.positions.shape)
    return moved


def strained(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    """Deform the cell, and the atoms with it; then rattle."""
    strain = rng.uniform(-STRAIN, STRAIN, (3, 3))
    moved = atoms.copy()
    moved.set_cell(moved.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
    return rattled(moved, rng)


def heated(atoms: Atoms, steps: int, every: int, rng: np.random.Generator) -> Iterator[Atoms]:
    """Run ``atoms``, which have a calculator, at a high temperature; yield every few steps."""
    temperature = rng.uniform(*TEMPERATURE)
    atoms.set_masses(np.maximum(atoms.get_masses(), LIGHTEST))
    thermalize_momenta(atoms, temperature, rng=rng)
    dynamics = Langevin(
        atoms,
        TIMESTEP * units.fs,
        temperature_K=temperature,
        friction=FRICTION / units.fs,
        fixcm=False,
        rng=rng,
    )
    for _ in range(steps // every):
        dynamics.run(every)
        yield atoms


def torn(atoms: Atoms, molecules: Sequence[np.ndarray], rng: np.random.Generator) -> Atoms | None:
    """Move one side of a bond of a molecule along it; None if there is no bond to tear."""
    bonds = [(side, axis) for members in molecules for side, axis in _bonds(atoms, members)]
    if not bonds:
        return None
    side, axis = bonds[rng.integers(len(bonds))]
    moved = atoms.copy()
    moved.positions[side] += axis * rng.uniform(*STRETCH)
    return rattled(moved, rng) if rng.random() < 0.5 else moved


def _bonds(atoms: Atoms, members: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, for each bond that holds two parts together, one part and the way out (3,)."""
    vectors = atoms.get_all_distances(mic=True, vector=True)[np.ix_(members, members)]
    radii = covalent_radii[atoms.numbers[members]]
    distance = np.linalg.norm(vectors, axis=2)
    bonded = distance < BONDED * (radii[:, None] + radii)
    np.fill_diagonal(bonded, False)
    for i, j in np.argwhere(np.triu(bonded)):
        rest = bonded.copy()
        rest[i, j] = rest[j, i] = False
        part = _reached(rest, j)
        if not part[i]:
            yield members[part], vectors[i, j] / distance[i, j]


def _reached(bonded: np.ndarray, start: int) -> np.ndarray:
    """Mask of what is bonded to an atom, directly or not."""
    reached = np.zeros(len(bonded), dtype=bool)
    reached[start] = True
    for _ in range(len(bonded)):
        reached |= bonded[reached].any(axis=0)
    return reached
