"""Systems of the set: adsorbates on metal surfaces, clean slabs, bulk metal and gas.

Each is drawn by a random generator and is far from any minimum: adsorbates stand anywhere over
the surface, turned at random.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.build import (
    bcc100,
    bcc110,
    bcc111,
    bulk,
    fcc100,
    fcc110,
    fcc111,
    fcc211,
    hcp0001,
    hcp10m10,
    molecule,
)
from ase.data import covalent_radii
from ase.geometry import get_distances

# Of each structure the facets, with the cells along the surface and the layers to draw from.
Facet = tuple[Callable[..., Atoms], Sequence[tuple[int, int]], Sequence[int], Mapping]
FACETS: Mapping[str, Mapping[str, Facet]] = {
    "fcc": {
        "111": (fcc111, [(2, 2), (2, 3), (3, 3)], (3, 4, 5), {}),
        "100": (fcc100, [(2, 2), (2, 3), (3, 3)], (3, 4, 5), {}),
        "110": (fcc110, [(2, 2), (2, 3), (3, 3)], (4, 5, 6), {}),
        "211": (fcc211, [(3, 2), (3, 3)], (3, 4), {"orthogonal": True}),
    },
    "bcc": {
        "110": (bcc110, [(2, 2), (2, 3), (3, 3)], (3, 4, 5), {}),
        "100": (bcc100, [(2, 2), (2, 3), (3, 3)], (3, 4, 5), {}),
        "111": (bcc111, [(2, 2), (2, 3), (3, 3)], (4, 5, 6), {}),
    },
    "hcp": {
        "0001": (hcp0001, [(2, 2), (2, 3), (3, 3)], (3, 4, 5), {}),
        "10-10": (hcp10m10, [(2, 2), (3, 2)], (4, 6), {}),
    },
}
G2 = {"CH2": "CH2_s3B1d"}  # where ASE's collection of molecules has another name
LARGEST = 80  # atoms
VACUUM = (5.0, 8.0)  # Å, on each side of a slab
EXPANSION = (0.97, 1.04)  # of lattice constants
GAP = (0.85, 1.3)  # of the sum of covalent radii, between an adsorbate and what is there
STEP = 0.05  # Å, by which an adsorbate is lowered
GAS_ATOMS = 10  # at least
SPACE = (25.0, 80.0)  # Å³ for each atom of a gas


@dataclass(frozen=True)
class System:
    """Atoms, and what they are.

    Attributes
    ----------
    molecules : atoms of each adsorbed or free molecule.
    metal, facet : symbol and Miller indices; "" without.
    adsorbates : names, "+" between them; "" without.
    kind : adsorbate, slab, bulk or gas.
    """

    atoms: Atoms
    molecules: Sequence[np.ndarray]
    metal: str
    facet: str
    adsorbates: str
    kind: str


def build(
    kind: str,
    metals: Mapping[str, tuple[str, float]],
    adsorbates: Sequence[str],
    excluded: Collection[str],
    rng: np.random.Generator,
) -> System:
    """Draw a system of a kind.

    Parameters
    ----------
    metals : structure, a key of ``FACETS``, and lattice constant (Å) by symbol.
    adsorbates : names to draw from.
    excluded : chemical formulas, in Hill's order, that no system may have.
    """
    while True:
        system = _KINDS[kind](metals, adsorbates, rng)
        formula = system.atoms.get_chemical_formula()
        if len(system.atoms) <= LARGEST and formula not in excluded:
            return system


def adsorbate(name: str) -> Atoms:
    """Return a molecule at its equilibrium in the gas phase; HCOO is HCOOH without its acid H."""
    if name != "HCOO":
        atoms = molecule(G2.get(name, name))
        return Atoms(atoms.numbers, atoms.positions)
    acid = molecule("HCOOH")
    oxygens, hydrogens = acid.numbers == 8, np.flatnonzero(acid.numbers == 1)
    to_oxygen = acid.get_all_distances()[np.ix_(hydrogens, oxygens)].min(axis=1)
    del acid[hydrogens[to_oxygen.argmin()]]
    return Atoms(acid.numbers, acid.positions)


def _slab(metals: Mapping, rng: np.random.Generator) -> tuple[Atoms, str, str]:
    metal = str(rng.choice(sorted(metals)))
    structure, constant = metals[metal]
    facet = str(rng.choice(sorted(FACETS[structure])))
    make, sizes, layers, how = FACETS[structure][facet]
    size = (*sizes[rng.integers(len(sizes))], int(rng.choice(layers)))
    slab = make(
        metal,
        size,
        a=constant * rng.uniform(*EXPANSION),
        vacuum=rng.uniform(*VACUUM),
        **how,
    )
    return Atoms(slab.numbers, slab.positions, cell=slab.cell, pbc=True), metal, facet


def _clean(metals: Mapping, _adsorbates: Sequence[str], rng: np.random.Generator) -> System:
    atoms, metal, facet = _slab(metals, rng)
    return System(atoms, [], metal, facet, "", "slab")


def _covered(metals: Mapping, adsorbates: Sequence[str], rng: np.random.Generator) -> System:
    atoms, metal, facet = _slab(metals, rng)
    n_adsorbates = int(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))
    names = sorted(str(rng.choice(adsorbates)) for _ in range(n_adsorbates))
    molecules = []
    for name in names:
        first = len(atoms)
        atoms = _landed(atoms, adsorbate(name), rng)
        molecules.append(np.arange(first, len(atoms)))
    return System(atoms, molecules, metal, facet, "+".join(names), "adsorbate")


def _landed(atoms: Atoms, guest: Atoms, rng: np.random.Generator) -> Atoms:
    """Lower a molecule onto a surface, anywhere and turned at random, until it touches."""
    guest = guest.copy()
    guest.positions = (guest.positions - guest.positions.mean(axis=0)) @ _turned(rng)
    along = rng.random(2) @ atoms.cell.array[:2]
    gap = rng.uniform(*GAP)
    reach = covalent_radii[guest.numbers][:, None] + covalent_radii[atoms.numbers]
    height = atoms.positions[:, 2].max() + 4.0 - guest.positions[:, 2].min()
    while True:
        placed = guest.positions + along + np.array([0.0, 0.0, height])
        distances = get_distances(placed, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)[1]
        if (distances / reach).min() < gap:
            break
        height -= STEP
    guest.positions = placed
    return atoms + guest


def _bulk(metals: Mapping, _adsorbates: Sequence[str], rng: np.random.Generator) -> System:
    metal = str(rng.choice(sorted(metals)))
    structure, constant = metals[metal]
    cubic = structure != "hcp"
    cell = bulk(metal, structure, a=constant * rng.uniform(*EXPANSION), cubic=cubic)
    repeats = [(2, 2, 2), (2, 2, 3), (2, 3, 3)] if cubic else [(2, 3, 2), (3, 3, 2), (3, 3, 3)]
    if structure == "bcc":
        repeats = [(2, 2, 3), (2, 3, 3), (3, 3, 3)]
    atoms = cell.repeat(repeats[rng.integers(len(repeats))])
    if rng.random() < 0.3:  # a vacancy
        del atoms[int(rng.integers(len(atoms)))]
    return System(
        Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True), [], metal, "", "", "bulk"
    )


def _gas(_metals: Mapping, adsorbates: Sequence[str], rng: np.random.Generator) -> System:
    names: list[str] = []
    guests: list[Atoms] = []
    while sum(map(len, guests)) < GAS_ATOMS:
        names.append(str(rng.choice(adsorbates)))
        guests.append(adsorbate(names[-1]))
    n_atoms = sum(map(len, guests))
    side = max(7.0, (n_atoms * rng.uniform(*SPACE)) ** (1 / 3))
    atoms = Atoms(cell=[side] * 3, pbc=True)
    molecules = []
    for guest in guests:
        first = len(atoms)
        atoms = _beside(atoms, guest, rng)
        molecules.append(np.arange(first, len(atoms)))
    return System(atoms, molecules, "", "", "+".join(sorted(names)), "gas")


def _beside(atoms: Atoms, guest: Atoms, rng: np.random.Generator) -> Atoms:
    """Put a molecule anywhere in a cell, clear of those in it; the cell grows if it must."""
    guest = guest.copy()
    guest.positions -= guest.positions.mean(axis=0)
    reach = covalent_radii[guest.numbers][:, None] + covalent_radii[atoms.numbers]
    for attempt in range(1000):
        if attempt % 100 == 99:
            atoms.set_cell(atoms.cell.array * 1.1)
        placed = guest.positions @ _turned(rng) + rng.random(3) @ atoms.cell.array
        if len(atoms) == 0:
            break
        distances = get_distances(placed, atoms.positions, cell=atoms.cell, pbc=True)[1]
        if (distances / reach).min() > 1.3:
            break
    guest.positions = placed
    return atoms + guest


def _turned(rng: np.random.Generator) -> np.ndarray:
    """A rotation (3, 3), all as likely."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


_KINDS = {"adsorbate": _covered, "slab": _clean, "bulk": _bulk, "gas": _gas}
