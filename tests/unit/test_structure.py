"""Structures that no network can be asked about are refused in one line."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from mekrr.data.structure import SAME_PLACE, check_structure
from mekrr.errors import DataError

INF, NAN = np.inf, np.nan


def refused(atoms, words):
    with pytest.raises(DataError, match=f"^step 3: .*{words}") as caught:
        check_structure(atoms, "step 3")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "pbc", "words"),
    [
        ([0.0] * 3, True, "periodic, but its cell has no volume"),
        ([9.0, 9, 0], True, "periodic, but its cell has no volume"),
        ([9.0, 0, 9], (False, True, False), "periodic, but its cell has no volume"),
        ([[9.0, 0, 0], [0, 9, 0], [9, 9, 0]], True, "periodic, but its cell has no volume"),
        ([[9.0, 0, 0], [18, 0, 0], [0, 0, 9]], (True, True, False), "its cell has no volume"),
        ([[9.0, 0, 0], [18, 0, 0], [0, 0, 0]], (True, False, False), "along one line and"),
        ([[9.0, 0, 0], [18, 0, 0], [0, 0, 0]], False, "along one line and"),
        ([1e-3] * 3, True, "its cell has no volume|cell of 0.001 Å"),
        ([9.0, 9, NAN], True, "cell is not finite"),
        ([9.0, 9, INF], False, "cell is not finite"),
    ],
)
def test_cells_that_vanish(cell, pbc, words):
    refused(Atoms("Cu2", [[0, 0, 0], [2.5, 0, 0]], cell=cell, pbc=pbc), words)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_an_atom_that_is_nowhere(value):
    atoms = bulk("Cu", cubic=True)
    atoms.positions[2, 1] = value
    refused(atoms, "position of atom 2 is not finite; remove the frame")


def test_a_frame_without_atoms():
    refused(Atoms(), "has no atoms")


@pytest.mark.parametrize("pbc", [True, (True, True, False), (False, False, True), False])
def test_atoms_on_top_of_each_other(rng, pbc):
    """Of any image, wherever in space; the closest allowed pair passes."""
    shift = np.array([[9.0, 0, 0], [4, 8, 0], [1, -2, 10]])
    for _ in range(20):
        images = rng.integers(-2, 3, size=3) * np.broadcast_to(pbc, 3)
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        atoms = Atoms("CuO", rng.uniform(0, 9, size=(2, 3)), cell=shift, pbc=pbc)
        for distance in (0.0, 0.99 * SAME_PLACE, 1.01 * SAME_PLACE):
            atoms.positions[1] = atoms.positions[0] + distance * direction + images @ shift
            if distance < SAME_PLACE:
                refused(atoms, rf"atoms 0 and 1 are at the same place .*\({distance:.3f}")
            else:
                check_structure(atoms, "step 3")


def test_molecules_need_no_cell():
    check_structure(molecule("CH3CH2OH"), "a")
    check_structure(Atoms("H"), "a")


@pytest.mark.parametrize(
    ("cell", "pbc", "words"),
    [
        (np.diag([9000.0, 9000, 10]), True, "needle or plate"),
        (np.diag([1.5, 600, 1000.0]), True, "needle or plate"),
        (np.diag([10.0, 3000, 3000]), (True, False, False), "needle or plate"),
        (np.diag([800.0, 4, 200]), (False, True, False), "needle or plate"),
        ([[1000, 0, 0], [0, 1000, 0], [990, 990, 1]], (True, True, False), "needle or plate"),
        ([[10, 0, 0], [0, 10, 0], [5, 5, 0.01]], True, "faces of the cell are 0.01 Å apart"),
        ([[10, 0, 0], [9000, 1, 0], [9000, 9000, 10]], True, "faces of the cell are"),
    ],
)
def test_cells_that_would_crash_a_neighbour_search(cell, pbc, words):
    corner = np.asarray(cell).sum(axis=0)
    atoms = Atoms("Cu2", positions=[[0, 0, 0], 0.4 * corner], cell=cell, pbc=pbc)
    if pbc is not True:
        atoms.positions[1] = np.diag(cell) * 0.9
    with pytest.raises(DataError, match=words):
        check_structure(atoms, "frame 0")


def test_large_cells_that_are_fine():
    for cell, pbc in (
        (np.diag([30.0, 30, 200]), True),
        (np.diag([10.0, 10, 9000]), True),
        (np.eye(3) * 900, True),
        ([[10, 0, 0], [9.9, 1, 0], [0, 0, 10]], True),
        (np.diag([10.0, 10, 0]), (True, True, False)),
    ):
        check_structure(Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.2]], cell=cell, pbc=pbc), "a")


def test_atoms_of_no_element():
    with pytest.raises(DataError, match="atomic number 0, which is no element"):
        check_structure(Atoms("XCu", positions=[[0, 0, 0], [0, 0, 3]]), "frame 0")
