"""Forces and stress from what depends on positions and strain."""

import numpy as np
import pytest
import tolerances as tol
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from repulsive import Repulsive

from mekrr.backbones.base import BackboneOutput
from mekrr.backbones.gradient import forces_and_virial, stress_of
from mekrr.errors import BackboneError


def test_stress_has_the_sign_and_order_of_ase(rng):
    """Against EMT, whose own stress needs no strain of ours."""
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(atoms.cell.array + 0.1 * rng.normal(size=(3, 3)), scale_atoms=True)
    atoms.positions += 0.1 * rng.normal(size=(4, 3))
    atoms.calc = EMT()

    def energy(strain):
        strained = atoms.copy()
        strained.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        return EMT().get_potential_energy(strained)

    steps = 1e-5 * np.eye(9).reshape(9, 3, 3)
    virial = np.reshape([energy(e) - energy(-e) for e in steps], (3, 3)) / 2e-5
    np.testing.assert_allclose(stress_of(atoms, virial), atoms.get_stress(), atol=tol.STRESS)


def test_a_frame_without_a_cell_has_no_stress():
    assert stress_of(Atoms("H2", positions=[[0, 0, 0], [0, 0, 1]]), np.eye(3)) is None
    assert stress_of(Atoms("H", cell=[1, 1, 0], pbc=(True, True, False)), np.eye(3)) is None


class Closed(Repulsive):
    """A backbone whose output lost its gradient: on a way through numpy, say."""

    def forward(self, graph, layers=None, energy=True):
        output = super().forward(graph, layers, energy)
        return BackboneOutput({t: h.detach() for t, h in output.layers.items()}, output.energy)


class Unstrained(Repulsive):
    """A backbone that takes positions, but not the strain, from the graph."""

    def forward(self, graph, layers=None, energy=True):
        graph.strain = None
        return super().forward(graph, layers, energy)


@pytest.mark.parametrize("kind", [Closed, Unstrained])
def test_a_backbone_without_gradients_is_told_in_one_line(kind):
    backbone = kind("odd")
    graph = backbone.graph([bulk("Cu", cubic=True)]).differentiable()
    strained = graph.strain
    output = backbone.forward(graph)
    graph.strain = strained
    outputs = [output.layers[2], output.energy]
    message = (
        r"^the backbone's features have no gradient, so there are no forces: predict energies "
        r"alone, or compute them from graph\.edge_vectors\(\) by what torch differentiates$"
    )
    with pytest.raises(BackboneError, match=message):
        forces_and_virial(graph, outputs, [torch.ones_like(out) for out in outputs])


def test_an_atom_alone_has_no_forces_whatever_its_features_depend_on():
    backbone = Closed("closed")
    graph = backbone.graph([Atoms("Cu"), Atoms("O", cell=[9] * 3, pbc=True)]).differentiable()
    h = backbone.forward(graph).layers[1]
    forces, virial = forces_and_virial(graph, [h], [torch.ones_like(h)])
    assert forces.shape == (2, 3)
    assert virial.shape == (2, 3, 3)
    assert not forces.any()
    assert not virial.any()
