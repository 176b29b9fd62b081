"""A potential for engines: as a calculator, and as a file of metatomic."""

import numpy as np
import pytest
from ase import units
from exported import alloy, fitted

from mekrr import Calculator
from mekrr.engines.export import export


@pytest.fixture(scope="session")
def model():
    return fitted(target="delta", layers=[1, 2], alpha=0.4, forces=4)


@pytest.fixture(scope="session")
def exported(model, tmp_path_factory):
    """Its file, in float64."""
    path = tmp_path_factory.mktemp("exported") / "model.pt"
    export(model, path, dtype="float64")
    return path


@pytest.fixture(scope="session")
def potential(model):
    return model.potential("float64")


@pytest.fixture
def calculator(potential):
    return Calculator(potential, std=False)


@pytest.fixture
def start():
    """Eight atoms in a sheared cell, warm."""
    atoms = alloy(3, 2).copy()
    atoms.set_cell(atoms.cell.array @ [[1, 0, 0], [0.1, 1, 0], [0.05, 0.02, 1]], scale_atoms=True)
    sigma = np.sqrt(units.kB * 300 * atoms.get_masses())[:, None]
    momenta = np.random.default_rng(1).normal(size=(len(atoms), 3)) * sigma
    atoms.set_momenta(momenta - momenta.mean(axis=0))
    return atoms
