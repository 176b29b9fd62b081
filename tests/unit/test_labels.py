"""Forces that frames come with: found wherever they stand, or refused in one line."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

from mekrr.data.labels import check_forces, forces_fault, forces_of
from mekrr.errors import DataError

FORCES = np.arange(9.0).reshape(3, 3)


def frame(forces=None, **results):
    atoms = Atoms("CuO2", 3.0 * np.eye(3))
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0)
    if forces is not None:
        atoms.calc.results["forces"] = forces
    return atoms


def test_forces_of_a_calculator_or_an_array():
    in_array = Atoms("CuO2", 3.0 * np.eye(3))
    in_array.arrays["forces"] = FORCES
    beside_energy = frame()
    beside_energy.arrays["forces"] = FORCES
    for atoms in (frame(FORCES), frame(FORCES.tolist()), in_array, beside_energy):
        np.testing.assert_array_equal(check_forces(atoms, "a"), FORCES)
    whole = frame(FORCES.astype(int))
    assert forces_of(whole).dtype == np.float64
    # A calculator's go first, and those of constraints are no part of them.
    both = frame(FORCES)
    both.arrays["forces"] = -FORCES
    both.set_constraint(FixAtoms([0, 1, 2]))
    np.testing.assert_array_equal(forces_of(both), FORCES)


def test_forces_of_a_real_calculator():
    atoms = fcc111("Cu", (2, 2, 2), vacuum=5.0)
    atoms.rattle(0.1, seed=0)
    atoms.calc = EMT()
    np.testing.assert_array_equal(forces_of(atoms), atoms.get_forces())


def test_frames_without_forces():
    for atoms in (Atoms("CuO2", 3.0 * np.eye(3)), frame(), Atoms()):
        assert forces_of(atoms) is forces_fault(atoms) is check_forces(atoms, "a") is None


def changed(value, place=(1, 2)):
    forces = FORCES.astype(object if isinstance(value, str) else float)
    forces[place] = value
    return forces


@pytest.mark.parametrize(
    ("forces", "words"),
    [
        (FORCES[:2], "their shape is (2, 3) and should be (3, 3), three numbers for each atom"),
        (np.ones((4, 3)), "their shape is (4, 3) and should be (3, 3)"),
        (FORCES.ravel(), "their shape is (9,) and should be (3, 3)"),
        (np.ones((3, 2)), "their shape is (3, 2) and should be (3, 3)"),
        (np.ones((1, 3, 3)), "their shape is (1, 3, 3) and should be (3, 3)"),
        (np.empty((0, 3)), "their shape is (0, 3) and should be (3, 3)"),
        (1.0, "their shape is () and should be (3, 3)"),
        ([[1.0, 2, 3], [1, 2], [1, 2, 3]], "they are not three numbers for each of 3 atoms"),
        (changed(np.nan), "that of atom 1 is (3, 4, nan); remove or recompute the frame"),
        (changed(-np.inf, (2, 0)), "that of atom 2 is (-inf, 7, 8); remove or recompute"),
        (changed("*****"), "that of atom 1: '*****' is a number too wide for its Fortran format"),
        (changed("0.1D-02"), "that of atom 1: '0.1D-02' has Fortran's D exponent; write E"),
        (changed("none"), "that of atom 1: 'none' is no number; give one, in eV/Å"),
        (FORCES > 3, "they are bool, not real numbers"),
        (FORCES + 1j, "they are complex128, not real numbers"),
    ],
)
def test_forces_that_cannot_be_used(forces, words):
    atoms = frame(forces)
    assert forces_of(atoms) is None
    assert words in forces_fault(atoms)
    with pytest.raises(DataError) as caught:
        check_forces(atoms, "a.xyz: frame 7")
    message = str(caught.value)
    assert message.startswith("a.xyz: frame 7: forces are there but cannot be used: ")
    assert "\n" not in message


def test_forces_of_a_frame_that_was_changed():
    """They are another frame's; neither are they used nor taken for none."""
    atoms = frame(FORCES)
    atoms.positions += 0.1
    assert forces_of(atoms) is None
    assert "the frame was changed after its forces were computed" in forces_fault(atoms)
