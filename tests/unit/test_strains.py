"""Strains as directions: derivatives of features and energies against those by autograd."""

import numpy as np
import pytest
import torch
import yaml
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import voigt_6_to_full_3x3_stress
from repulsive import SPECIES_ENERGY, Smooth, frame

from mekrr import SparseMEKRR
from mekrr.backbones.families import Family, families
from mekrr.backbones.gradient import forces_and_virial
from mekrr.backbones.gradient import stress_of as stress_from
from mekrr.data.frames import read_frames, write_frames
from mekrr.data.labels import stress_of
from mekrr.errors import ConfigError, DataWarning, InputError
from mekrr.features.directions import (
    directions_of,
    gather_directions,
    strain_slopes,
    strains_of,
    with_strains,
)

VALUES = [0.1, 0.2, 0.3, 0.04, 0.05, 0.06]
HOW = {"batch_size": {"cpu": 4}, "device": torch.device("cpu"), "atoms": "all", "source": "d"}


@pytest.fixture
def atoms():
    found = frame(np.random.default_rng(3), "Cu3O")
    found.set_cell(found.cell + 0.1 * np.random.default_rng(4).normal(size=(3, 3)))
    return found


def gathered(atoms, directions):
    return gather_directions(Smooth("s"), [atoms], [directions], [1, 2], **HOW)


def stress_by_autograd(atoms, outputs, weights):
    """Of Σ outputs · weights, as a stress; ``outputs`` makes them of a differentiable graph."""
    graph = Smooth("s").graph([atoms]).differentiable()
    _, (virial,) = forces_and_virial(graph, outputs(graph), weights)
    return stress_from(atoms, virial)


def test_the_energy_along_strains_is_the_stress(atoms):
    found = gathered(atoms, with_strains(directions_of(atoms, 2, None), atoms))[1]
    stress = stress_by_autograd(
        atoms, lambda graph: [Smooth("s").forward(graph).energy], [torch.ones(1)]
    )
    np.testing.assert_allclose(
        found.network[2:], strain_slopes(atoms, stress), rtol=1e-5, atol=1e-8
    )


@pytest.mark.parametrize("layer", [1, 2])
def test_features_along_strains_are_those_by_autograd(atoms, layer):
    derivatives = gathered(atoms, strains_of(atoms))[layer].of(0)
    weights = np.random.default_rng(0).normal(size=derivatives.shape[1:])
    stress = stress_by_autograd(
        atoms,
        lambda graph: [Smooth("s").forward(graph).layers[layer]],
        [torch.from_numpy(weights)],
    )
    expected = strain_slopes(atoms, stress)
    found = np.einsum("qnd,nd->q", derivatives, weights)
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


def test_directions_beside_strains_are_what_they_are_alone(atoms):
    alone = directions_of(atoms, 2, {"species": ["O"]})
    beside = gathered(atoms, with_strains(alone, atoms))[2]
    np.testing.assert_array_equal(beside.of(0)[:5], gathered(atoms, alone)[2].of(0))
    assert beside.counts.tolist() == [5 + 6]


def test_stress_is_read_written_and_read_again(tmp_path, atoms):
    given = []
    for stress in (VALUES, voigt_6_to_full_3x3_stress(VALUES), None, [np.nan] * 6):
        labelled = atoms.copy()
        labels = {} if stress is None else {"stress": stress}
        labelled.calc = SinglePointCalculator(labelled, energy=1.0, **labels)
        given.append(labelled)
    molecule = given[0].copy()
    molecule.set_cell(None)
    molecule.pbc = False
    molecule.calc = SinglePointCalculator(molecule, energy=1.0, stress=VALUES)
    assert stress_of(molecule) is None
    write_frames(tmp_path / "f.extxyz", given)
    read = read_frames(tmp_path / "f.extxyz")
    write_frames(tmp_path / "again.extxyz", read)
    for frames in (given, read, read_frames(tmp_path / "again.extxyz")):
        found = [stress_of(atoms) for atoms in frames]
        np.testing.assert_allclose(found[:2], [VALUES] * 2, rtol=1e-7)
        assert found[2:] == [None, None]


@pytest.fixture
def stressed(rng):
    """Frames in strained cells, with energy, forces and stress of `Smooth` by autograd."""
    found = []
    for k in range(24):
        atoms = frame(rng, ["Cu4", "Cu3O"][k % 2])
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), scale_atoms=True)
        graph = Smooth("s").graph([atoms]).differentiable()
        energy = Smooth("s").forward(graph).energy
        forces, (virial,) = forces_and_virial(graph, [energy], [torch.ones(1)])
        total = energy.item() + sum(SPECIES_ENERGY[symbol] for symbol in atoms.symbols)
        labels = {"energy": total, "forces": forces, "stress": stress_from(atoms, virial)}
        atoms.calc = SinglePointCalculator(atoms, **labels)
        found.append(atoms)
    return found


@pytest.fixture
def sparse(tmp_path, monkeypatch):
    monkeypatch.setitem(families(), "smooth", Family("repulsive:Smooth"))
    registry = tmp_path / "backbones.yaml"
    entry = {"family": "smooth", "layers": [1, 2]}
    registry.write_text(yaml.safe_dump({"backbones": {"smooth": entry}}))

    def make(**parameters):
        given = {"lengthscale": 2.0, "regularisation": 1e-3, "sigma_energy": 1.0, "layers": [1, 2]}
        given |= {"backbone": "smooth", "registry": registry, "target": "energy", "forces": 1}
        return SparseMEKRR(**given | parameters)

    return make


def with_stress(atoms, change):
    other = atoms.copy()
    labels = dict(atoms.calc.results)
    labels["stress"] = change(labels["stress"])
    other.calc = SinglePointCalculator(other, **{k: v for k, v in labels.items() if v is not None})
    return other


def test_a_fit_to_stress_knows_it_better(sparse, stressed):
    errors = []
    for stress in (False, True):
        potential = sparse(stress=stress).fit(stressed[:12]).potential()
        off = [potential.evaluate(a).stress - stress_of(a) for a in stressed[12:]]
        errors.append(np.sqrt(np.mean(np.square(off))))
    assert errors[1] < 0.7 * errors[0]


def test_stress_alone_beside_energies(sparse, stressed, tmp_path):
    """Six rows of each frame that has it; a model file tells that it was learnt."""
    given = [with_stress(atoms, lambda s: None) for atoms in stressed[:2]] + stressed[2:10]
    with pytest.warns(DataWarning, match="2 of 10 frames have no usable stress .* frame 0"):
        model = sparse(forces=0, stress=True).fit(given)
    assert model.n_directions_ == 8 * 6
    model.save(tmp_path / "m")
    assert SparseMEKRR.load(tmp_path / "m").stress is True


@pytest.mark.parametrize(
    ("change", "told"), [(lambda s: -s, "-1 times"), (lambda s: 160.2 * s, "1.6e.02 times")]
)
def test_stress_of_another_sign_or_unit_is_told(sparse, stressed, change, told):
    given = [with_stress(atoms, change) for atoms in stressed[:8]]
    with pytest.warns(DataWarning, match=f"stress is about .*{told} the network's; give it in eV"):
        sparse(stress=True).fit(given)


def test_no_stress_at_all(sparse, stressed):
    given = [with_stress(atoms, lambda s: None) for atoms in stressed[:4]]
    with pytest.raises(InputError, match="no frame has a cell and a stress of six numbers"):
        sparse(stress=True).fit(given)
    with pytest.raises(ConfigError, match="stress='yes' should be True or False"):
        sparse(stress="yes").fit(given)
