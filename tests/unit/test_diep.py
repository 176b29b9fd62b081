"""The adapter of DIEP against DIEP's own graphs and calculator."""

import numpy as np
import pytest
import tolerances as tol
import torch
from ase import Atoms
from diep import config
from diep.pretrained import load_potential, make_calculator
from pymatgen.io.ase import AseAtomsAdaptor

from mekrr.backbones.diep import DIEP


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


def test_layers_and_species(diep, surface):
    output = run(diep, surface)
    shape = (sum(map(len, surface)), 64)
    assert {t: tuple(h.shape) for t, h in output.layers.items()} == dict.fromkeys((1, 2, 3), shape)
    assert diep.layers == (1, 2, 3)
    assert diep.species == set(range(1, 95)) - {84, 85, 86, 87, 88}


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


def test_a_batch_gives_what_single_frames_give(diep, frames):
    batch = run(diep, frames)
    start = 0
    for k, atoms in enumerate(frames):
        single = run(diep, [atoms])
        for t, features in single.layers.items():
            rows = batch.layers[t][start : start + len(atoms)]
            assert (rows - features).abs().max() <= tol.BATCH * features.abs().max()
        assert abs(single.energy[0] - batch.energy[k]) <= tol.OWN_ENERGY * len(atoms)
        start += len(atoms)


def test_gradients_in_float64_are_finite_differences(surface, rng):
    """Along a random direction; a short step, so that no triplet changes its longest edge."""
    precise = DIEP("diep")
    precise._model.double()
    direction = torch.as_tensor(rng.normal(size=(len(surface[0]), 3)))
    weights = torch.as_tensor(rng.normal(size=64))

    def values(step):
        graph = precise.graph(surface[:1])
        graph.positions = (graph.positions + step * direction).requires_grad_()
        output = precise.forward(graph)
        assert output.layers[1].dtype == torch.float64
        projections = [(h @ weights).sum() for h in output.layers.values()]
        return graph.positions, [*projections, output.energy.sum()]

    positions, at = values(0.0)
    step = 1e-5
    (_, ahead), (_, behind) = values(step), values(-step)
    for value, more, less in zip(at, ahead, behind, strict=True):
        (gradient,) = torch.autograd.grad(value, positions, retain_graph=True)
        difference = (more - less).item() / (2 * step)
        assert (gradient * direction).sum().item() == pytest.approx(difference, rel=tol.GRADIENT)
    assert config.float_th == torch.float32, "the global type is put back"


def test_forces_are_those_of_its_own_calculator(diep, surface):
    run(diep, surface)  # what inference leaves behind must not spoil gradients
    graph = diep.graph(surface)
    graph.positions.requires_grad_()
    (gradient,) = torch.autograd.grad(diep.forward(graph).energy.sum(), graph.positions)
    calculator = make_calculator(stress=False)
    expected = np.concatenate([calculator.get_forces(atoms) for atoms in surface])
    np.testing.assert_allclose(-gradient, expected, atol=tol.INVARIANCE * np.abs(expected).max())
