"""The adapter of DIEP against DIEP's own graphs and calculator."""

import pytest
import tolerances as tol
import torch
from ase import Atoms
from diep import config
from diep.pretrained import load_potential, make_calculator
from pymatgen.io.ase import AseAtomsAdaptor

from mekrr.backbones.diep.adapter import DIEP


@pytest.fixture(scope="module")
def diep():
    return DIEP("diep")


@pytest.fixture
def frames(surface):
    """Slabs of 10 and 14 atoms, one periodic in the plane only, a dimer and a lone atom."""
    surface[2].pbc = (True, True, False)
    dimer = Atoms("FeN", positions=[[0, 0, 0], [0, 0, 1.7]])
    return [*surface, dimer, Atoms("H", cell=[20] * 3, pbc=True)]


def run(backbone, frames):
    with torch.inference_mode():
        return backbone.forward(backbone.graph(frames))


def test_species(diep):
    assert diep.species == set(range(1, 95)) - {84, 85, 86, 87, 88}


def test_float64_is_a_matter_of_its_own(surface):
    """DIEP's type is a global one, which is put back."""
    precise = DIEP("diep")
    precise.double()
    assert run(precise, surface[:1]).layers[1].dtype == torch.float64
    assert config.float_th == torch.float32


def test_energies_are_those_of_its_own_calculator(diep, frames):
    calculator = make_calculator(stress=False)
    for atoms, energy in zip(frames, run(diep, frames).energy.tolist(), strict=True):
        expected = calculator.get_potential_energy(atoms)
        assert energy == pytest.approx(expected, abs=tol.OWN_ENERGY * len(atoms))


def test_features_are_those_of_its_own_graph(diep, surface):
    network = load_potential(stress=False).model
    for atoms in surface:
        own = network.predict_structure(AseAtomsAdaptor.get_structure(atoms), return_features=True)
        for t, features in run(diep, [atoms]).layers.items():
            expected = own[f"gc_{t}"]["node_feat"].detach()
            largest = float(expected.abs().max())
            torch.testing.assert_close(features, expected, rtol=0, atol=tol.INVARIANCE * largest)
