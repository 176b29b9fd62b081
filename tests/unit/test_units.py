"""Units that forces, or a network, tell to be others; and honest labels, which raise no doubt."""

import warnings

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.md.verlet import VelocityVerlet

from mekrr.data.frames import read_frames
from mekrr.data.units import FEWEST, force_doubt, unit_doubt
from mekrr.errors import DataWarning

# eV and eV/Å in other units.
HARTREE, RYDBERG = 1 / units.Hartree, 1 / units.Rydberg
PER_BOHR = units.Bohr
KCAL, KJ = units.mol / units.kcal, units.mol / units.kJ


def computed(structure, energy=1.0, force=1.0):
    """A frame of EMT's energy and forces, multiplied by factors, not those of constraints."""
    atoms = structure.copy()
    atoms.calc = EMT()
    energy = energy * atoms.get_potential_energy()
    forces = force * atoms.get_forces(apply_constraint=False)
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    return atoms


def trajectory(atoms, n_frames, interval=1, seed=0):
    """Structures of a run that begins at 600 K, so many steps of 2 fs apart."""
    atoms.calc, found = EMT(), []
    velocities = np.random.default_rng(seed).normal(size=(len(atoms), 3))
    atoms.set_momenta(velocities * np.sqrt(units.kB * 600 * atoms.get_masses())[:, None])
    run = VelocityVerlet(atoms, 2 * units.fs)
    run.attach(lambda: found.append(atoms.copy()), interval)
    run.run(interval * (n_frames - 1))
    return found


@pytest.fixture(scope="module")
def hot_copper():
    return trajectory(bulk("Cu") * (2, 2, 2), 40)


def doubt_of(frames, runs=None):
    return force_doubt(frames, np.zeros(len(frames), int) if runs is None else runs)


def relabelled(frames, change):
    """Frames with the energies and forces that ``change`` makes of theirs."""
    found = []
    for atoms in frames:
        energy, forces = change(atoms.get_potential_energy(), atoms.get_forces())
        found.append(atoms.copy())
        found[-1].calc = SinglePointCalculator(found[-1], energy=energy, forces=forces)
    return found


@pytest.mark.parametrize(
    ("energy", "force", "words"),
    [
        (1, HARTREE * PER_BOHR, "forces were in Hartree/Bohr, not eV/Å (multiply them by 51.4221)"),
        (1, HARTREE, "forces were in Hartree/Å, not eV/Å (multiply them by 27.2114)"),
        (1, RYDBERG * PER_BOHR, "forces were in Rydberg/Bohr, not eV/Å (multiply them by 25.711)"),
        (1, KCAL, "forces were in kcal/mol/Å, not eV/Å (multiply them by 0.0433641)"),
        (1, KJ, "forces were in kJ/mol/Å, not eV/Å (multiply them by 0.0103643)"),
        (1, 10 * KJ, "forces were in kJ/mol/nm, not eV/Å (multiply them by 0.00103643)"),
        (1, 1000, "forces were in meV/Å, not eV/Å (multiply them by 0.001)"),
        (1, -1, "forces were gradients (change their sign)"),
        (
            1,
            -HARTREE * PER_BOHR,
            "Hartree/Bohr, not eV/Å, forces being gradients (multiply them by",
        ),
        (1, 1 / (HARTREE * PER_BOHR), "converted from Hartree/Bohr once too often (multiply them"),
        (HARTREE, 1, "energies were in Hartree, not eV (multiply them by 27.2114)"),
        (RYDBERG, 1, "energies were in Rydberg, not eV (multiply them by 13.6057)"),
        (KCAL, 1, "energies were in kcal/mol, not eV (multiply them by 0.0433641)"),
        (KJ, 1, "energies were in kJ/mol, not eV (multiply them by 0.0103643)"),
        (HARTREE, HARTREE * PER_BOHR, "energies were in Hartree and forces in Hartree/Bohr"),
        (1 / 8, 1, "energies were per atom (multiply them by the number of atoms)"),
        (1, 0, "forces are 0 although energies change"),
    ],
)
def test_units_that_forces_tell(hot_copper, energy, force, words):
    frames = [computed(atoms, energy, force) for atoms in hot_copper]
    assert words in doubt_of(frames)
    # In any order, by those closest to each other.
    order = np.random.default_rng(0).permutation(len(frames))
    assert words in doubt_of([frames[k] for k in order])
    # And the smallest number of pairs.
    assert words in doubt_of(frames[: FEWEST + 1])
    assert doubt_of(frames[:FEWEST]) is None


def test_a_doubt_is_a_warning_in_one_line(tmp_path, hot_copper):
    path = tmp_path / "a.traj"
    ase.io.write(path, [computed(atoms, 1, HARTREE * PER_BOHR) for atoms in hot_copper])
    with pytest.warns(DataWarning) as caught:
        read_frames(path)
    (message,) = [str(warning.message) for warning in caught]
    assert message.startswith(f"{path}: energies change 51.")
    assert "\n" not in message


def test_energies_per_atom_of_several_sizes(hot_copper):
    """Their ratio to the work of forces is another for each size."""
    mixed = [*hot_copper, *trajectory(bulk("Cu") * (3, 2, 1), 40)]
    runs = np.repeat([0, 1], 40)
    frames = [computed(atoms, 1 / len(atoms)) for atoms in mixed]
    assert "energies were per atom" in doubt_of(frames, runs)
    assert doubt_of([computed(atoms) for atoms in mixed], runs) is None


def slab():
    atoms = fcc111("Cu", (2, 2, 3), vacuum=6.0)
    atoms += Atoms("O", [atoms.positions[-1] + [0, 0, 1.8]])
    atoms.set_constraint(FixAtoms(range(4)))
    return atoms


def strained(rng):
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(atoms.cell * (1 + 0.02 * rng.normal(size=(3, 3))), scale_atoms=True)
    return atoms


HONEST = {
    "a trajectory": lambda rng: trajectory(bulk("Cu") * (2, 2, 2), 20, 1, rng.integers(99)),
    "frames far apart": lambda rng: trajectory(bulk("Cu") * (2, 2, 2), 15, 5, rng.integers(99)),
    "fixed atoms": lambda rng: trajectory(slab(), 20, 2, rng.integers(99)),
    "a molecule": lambda rng: trajectory(Atoms("CO", [[0, 0, 0], [0, 0, 1.1]]), 20),
    "strained cells": lambda rng: [strained(rng) for _ in range(30)],
    "an equation of state": lambda rng: [
        bulk("Cu", a=a, cubic=True) for a in np.linspace(3.5, 3.7, 30)
    ],
    "a crystal": lambda rng: [bulk("Cu", cubic=True)] * 30,
}


def rattled(rng):
    frames = []
    for _ in range(20):
        frames.append(bulk("Cu", cubic=True))
        frames[-1].positions += 0.05 * rng.normal(size=(4, 3))
    return frames


HONEST["rattled frames"] = rattled
HONEST["mixed sets"] = lambda rng: [
    atoms
    for pair in zip(rattled(rng), trajectory(slab(), 20), strict=True)
    for atoms in (*pair, strained(rng))
]


def with_noise(frames, size, rng):
    """Relative to the spread of energies (eV), and in eV/Å of forces."""
    spread = size * float(np.std([atoms.get_potential_energy() for atoms in frames]))
    return relabelled(
        frames,
        lambda energy, forces: (
            energy + spread * rng.normal(),
            forces + size * rng.normal(size=forces.shape),
        ),
    )


@pytest.mark.parametrize("kind", HONEST)
def test_honest_labels_raise_no_doubt(kind):
    """Nor do they with noise, in some frames only, or with an offset between two halves."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        frames = [computed(atoms) for atoms in HONEST[kind](rng)]
        assert doubt_of(frames) is None
        for size in (0.01, 0.1, 1.0, 10.0):
            assert doubt_of(with_noise(frames, size, rng)) is None
        half = relabelled(frames[::2], lambda energy, forces: (energy - 1234.5, forces))
        assert doubt_of([*half, *frames[1::2]]) is None
        for atoms in frames[::3]:
            atoms.calc.results.pop("forces")
        assert doubt_of(frames) is None


def test_labels_that_mean_nothing_raise_no_doubt():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        scale = 10 ** rng.uniform(-3, 3)
        frames = []
        for _ in range(12):
            atoms = Atoms("Cu2", [[0, 0, 0], [0, 0, 2.5]] + 0.05 * rng.normal(size=(2, 3)))
            energy, forces = scale * rng.normal(), rng.normal(size=(2, 3))
            atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
            frames.append(atoms)
        assert doubt_of(frames) is None


def test_right_units_raise_no_warning(tmp_path, hot_copper):
    ase.io.write(tmp_path / "a.traj", [computed(atoms) for atoms in hot_copper])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_frames(tmp_path / "a.traj")


@pytest.mark.parametrize(
    ("factor", "unit"),
    [(1 / 27.2114, "Hartree"), (1 / 13.6057, "Rydberg"), (23.06, "kcal/mol"), (96.485, "kJ/mol")],
)
def test_units_that_a_network_tells(rng, factor, unit):
    network = rng.normal(size=60)
    formulas = ["Cu2"] * 30 + ["CuO"] * 30
    energy = 1.1 * network + 0.1 * rng.normal(size=60) - np.repeat([30.0, 70.0], 30)
    assert unit_doubt(energy, network, formulas) is None
    assert f"as if they were in {unit}" in unit_doubt(factor * energy, network, formulas)
    assert unit_doubt(factor * rng.normal(size=60), network, formulas) is None
