"""Collective variables: values by hand, gradients by finite differences."""

import numpy as np
import pytest
import tolerances as tol
from ase import Atoms

from mekrr.data.variables import along, axis_label, label, variable
from mekrr.errors import DataError

NN = {"distance": ["N", "N"]}
AROUND = {"coordination": ["N", "Fe"], "radius": 2.5}


@pytest.fixture
def atoms(rng):
    cell = [[9.0, 0, 0], [2.0, 8.0, 0], [0, 0.5, 12.0]]
    symbols = "Fe6N2"
    atoms = Atoms(symbols, cell=cell, pbc=[True, True, False])
    atoms.set_scaled_positions(rng.uniform(size=(8, 3)))
    return atoms


def test_distance_is_periodic_and_never_to_itself():
    atoms = Atoms("N2H", positions=[[0.1, 0, 0], [9.3, 0, 0], [5, 0, 0]], cell=[10] * 3, pbc=True)
    for spec, expected in (
        (NN, 0.8),
        ({"distance": ["H", "N"]}, 4.3),
        ({"distance": [0, 2]}, 4.9),
    ):
        assert variable(spec, atoms).value(atoms) == pytest.approx(expected)


def test_coordination_is_the_sum_over_the_pairs(atoms):
    lengths = atoms.get_all_distances(mic=True)[6:, :6]
    expected = np.sum((1 - (lengths / 2.5) ** 6) / (1 - (lengths / 2.5) ** 12))
    assert variable(AROUND, atoms).value(atoms) == pytest.approx(expected, rel=1e-12)
    twice = variable({"coordination": ["N", "N"], "radius": 2.0}, atoms).value(atoms)
    r = atoms.get_distance(6, 7, mic=True)
    assert twice == pytest.approx(1 / (1 + (r / 2.0) ** 6)), "each pair once"


@pytest.mark.parametrize("spec", [NN, AROUND, {"distance": [2, 7]}], ids=label)
def test_gradient(spec, atoms):
    asked = variable(spec, atoms)
    value, gradient = asked.gradient(atoms)
    assert value == pytest.approx(asked.value(atoms))
    step = 1e-5
    for k in np.ndindex(gradient.shape):
        ahead, behind = atoms.copy(), atoms.copy()
        ahead.positions[k] += step
        behind.positions[k] -= step
        slope = (asked.value(ahead) - asked.value(behind)) / (2 * step)
        assert gradient[k] == pytest.approx(slope, abs=tol.GRADIENT)


def test_table_of_variables(atoms):
    table = along([NN, AROUND], [atoms, atoms], "d")
    assert list(table) == ["N–N distance", "N–Fe coordination"]
    assert table.loc[1, "N–N distance"] == atoms.get_distance(6, 7, mic=True)
    assert [axis_label(v) for v in (NN, AROUND)] == ["N–N distance (Å)", "N–Fe coordination"]


def test_missing_pair_is_named():
    atoms = Atoms("NH", positions=[[0, 0, 0], [1, 0, 0]], info={"frame": 3})
    for pair in (["N", "N"], ["C", "H"], [0, 9]):
        with pytest.raises(DataError, match=r"^d: frame 3: no pair of .*collective variable"):
            along([{"distance": pair}], [atoms], "d")
