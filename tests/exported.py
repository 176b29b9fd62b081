"""Sparse models on SevenNet-0 that are exported, and frames that they are asked about."""

from __future__ import annotations

from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr import SparseMEKRR

CHOSEN = {"regularisation": 1.0, "sigma_energy": 3.0, "lengthscale": 2.0, "inducing": 20}


def alloy(seed: int, cells: int = 1) -> Atoms:
    """Rattled copper, some of it with an atom of gold, with EMT's labels."""
    atoms = bulk("Cu", cubic=True) * (1, 1, cells)
    if seed % 3 == 0:
        atoms.numbers[0] = 79
    atoms.rattle(0.08, seed=seed)
    atoms.calc = EMT()
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    return atoms


def fitted(**options: object) -> SparseMEKRR:
    """A model of such frames."""
    frames = [alloy(seed, 1 + seed % 2) for seed in range(8)]
    return SparseMEKRR("sevennet-0", **{"forces": 2, "layers": [1]} | CHOSEN | options).fit(frames)


def kinds() -> dict[str, Atoms]:
    """Frames of several kinds, unlike those of the fit."""
    sheared = alloy(100, 2).copy()
    sheared.set_cell(sheared.cell.array @ [[1, 0.1, 0], [0, 1.02, 0.05], [0, 0, 0.97]], True)
    trained = alloy(0).copy()
    return {
        "sheared": sheared,
        "one atom, many images": bulk("Cu", a=3.55),
        "slab": fcc111("Cu", (2, 2, 2), a=3.6, vacuum=5.0, periodic=True),
        "a film": fcc111("Cu", (2, 2, 2), a=3.6, vacuum=5.0),
        "molecule": Atoms("Cu2Au", positions=[[0, 0, 0], [0, 0, 2.5], [0, 2.4, 0.3]]),
        "one atom": Atoms("Cu", positions=[[0.1, 0.2, 0.3]]),
        "one atom in a box": Atoms("Cu", cell=[15.0, 15.0, 16.0], pbc=True),
        "of the fit": trained,
    }
