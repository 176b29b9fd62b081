"""Strains as directions: derivatives of features and energies against those by autograd."""

import numpy as np
import pytest
import torch
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import voigt_6_to_full_3x3_stress
from repulsive import Repulsive, frame

from mekrr.backbones.base import BackboneOutput
from mekrr.backbones.gradient import forces_and_virial
from mekrr.backbones.gradient import stress_of as stress_from
from mekrr.data.frames import read_frames, write_frames
from mekrr.data.labels import stress_of
from mekrr.features.directions import (
    directions_of,
    gather_directions,
    strain_slopes,
    strains_of,
    with_strains,
)

VALUES = [0.1, 0.2, 0.3, 0.04, 0.05, 0.06]
HOW = {"batch_size": {"cpu": 4}, "device": torch.device("cpu"), "atoms": "all", "source": "d"}


class Smooth(Repulsive):
    """With an energy that ends at the cutoff, as that of a network does."""

    def forward(self, graph, layers=None, energy=True):
        found = super().forward(graph, layers)
        r = graph.edge_vectors().norm(dim=1) / self.cutoff
        pair = 0.5 * (1.0 - r**2) ** 3 * torch.exp(-r)
        total = pair.new_zeros(len(graph.n_atoms)).index_add(0, graph.frame[graph.centre], pair)
        return BackboneOutput(found.layers, total)


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
