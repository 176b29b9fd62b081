"""SevenNet's gradients: central differences, and autograd through its own modules."""

import numpy as np
import pytest
import tolerances as tol
import torch
from ase import Atoms

from mekrr.backbones.gradient import forces_and_virial
from mekrr.backbones.load import load_backbone
from mekrr.backbones.sevennet import convolution, transpose
from mekrr.backbones.sevennet.convolution import EDGES, Convolution

CHECKPOINTS = {"sevennet-0": "7net-0", "sevennet-l3i5": "7net-l3i5"}
STEP = 1e-4  # Å, and of the strain


@pytest.fixture(scope="module", params=CHECKPOINTS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def single(name):
    return load_backbone(name, "sevennet", {"checkpoint": CHECKPOINTS[name]})


@pytest.fixture(scope="module")
def double(name):
    return load_backbone(name, "sevennet", {"checkpoint": CHECKPOINTS[name]}).double()


@pytest.fixture
def frames(surface):
    """Several frames, a molecule, a lone atom and one atom outside of the cell among them."""
    surface[1].positions[0] += 2 * surface[1].cell[0] - surface[1].cell[1]
    molecule = Atoms("CO", positions=[[0, 0, 0], [0, 0.5, 1.1]])
    return [*surface[:2], molecule, Atoms("O", cell=[20] * 3, pbc=True)]


def parts(output):
    """What an energy may depend on: features of all layers, energies of frames and of atoms."""
    return [*output.layers.values(), output.energy, output.atomic_energy]


@pytest.fixture
def weigh(rng):
    """∂E/∂ of each part, the same at every call; E mixes all."""
    drawn = []

    def weights(found):
        if not drawn:
            drawn.extend(rng.normal(size=part.shape) for part in found)
        return [torch.as_tensor(w) for w in drawn]

    return weights


def derivatives(backbone, graph, weigh):
    graph = graph.differentiable()
    found = parts(backbone.forward(graph))
    return forces_and_virial(graph, found, weigh(found))


def by_autograd(backbone, graph, weigh):
    """The same, all modules those of the package."""
    steps = backbone._steps
    backbone._steps = backbone._modules
    try:
        return derivatives(backbone, graph, weigh)
    finally:
        backbone._steps = steps


def assert_close(found, expected, tolerance):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max())


def test_forces_and_virial_are_central_differences(double, frames, weigh, rng):
    """Along random displacements of all atoms, and random strains of all frames."""
    graph = double.graph(frames)
    forces, virial = derivatives(double, graph, weigh)
    shift = torch.as_tensor(rng.normal(size=graph.positions.shape))
    strain = torch.as_tensor(rng.normal(size=(len(frames), 3, 3)))

    def energy(positions, strain):
        moved = graph.differentiable()
        with torch.no_grad():
            moved.positions += positions
            moved.strain += strain
            found = parts(double.forward(moved))
        assert all(part.dtype == torch.float64 for part in found)
        return sum(float((w * part).sum()) for w, part in zip(weigh(found), found, strict=True))

    nothing = torch.zeros_like(shift), torch.zeros_like(strain)
    for k, slope in enumerate((-(forces * shift.numpy()).sum(), (virial * strain.numpy()).sum())):
        ahead, behind = (
            energy(
                *(sign * STEP * d if j == k else nothing[j] for j, d in enumerate((shift, strain)))
            )
            for sign in (1, -1)
        )
        assert slope == pytest.approx((ahead - behind) / (2 * STEP), rel=tol.SEVENNET_GRADIENT)


@pytest.mark.parametrize("edges_at_once", ["loops", 7, 2048])
def test_gradients_are_those_of_plain_autograd(double, frames, weigh, monkeypatch, edges_at_once):
    """By loops, and as on a GPU."""
    if edges_at_once != "loops":
        monkeypatch.setattr(convolution, "in_loops", lambda x: False)
        monkeypatch.setattr(transpose, "EDGES_AT_ONCE", edges_at_once)
    graph = double.graph(frames)
    expected = by_autograd(double, graph, weigh)
    assert_close(derivatives(double, graph, weigh), expected, tol.SEVENNET_AUTOGRAD)


def test_float32_gradients_are_those_of_float64(single, double, frames, weigh):
    expected = derivatives(double, double.graph(frames), weigh)
    assert_close(derivatives(single, single.graph(frames), weigh), expected, tol.GRADIENT_FLOAT32)


def test_features_are_the_same_with_and_without_gradients(single, frames):
    graph = single.graph(frames)
    with torch.inference_mode():
        expected = parts(single.forward(graph))
    for one, other in zip(parts(single.forward(graph.differentiable())), expected, strict=True):
        assert torch.equal(one, other)


def test_float64_energy_is_that_of_float32(single, double, surface):
    with torch.inference_mode():
        energies = [b.forward(b.graph(surface)).energy for b in (single, double)]
    difference = (energies[0] - energies[1]).abs() / len(surface[0])
    assert 0 < difference.max() < tol.OWN_ENERGY


def test_nothing_beyond_the_layer_is_differentiated(single, surface):
    """Forces of layer 1 alone are those of layer 1 among all."""

    def of_layer(layers, energy):
        graph = single.graph(surface[:1]).differentiable()
        h = single.forward(graph, layers, energy=energy).layers[1]
        return forces_and_virial(graph, [h], [torch.ones_like(h)])

    assert_close(of_layer([1], False), of_layer(None, True), 1e-12)


def test_an_atom_alone_has_no_forces(single):
    graph = single.graph([Atoms("Cu")]).differentiable()
    output = single.forward(graph)
    forces, virial = forces_and_virial(graph, [output.energy], [torch.ones(1)])
    assert not forces.any()
    assert not virial.any()


def test_no_net_force_and_no_torque(single, surface):
    """Of a molecule: the virial of turned positions is symmetric then."""
    atoms = Atoms("OCOH", [[-1.1, 0.1, 0], [0, 0.7, 0], [1.1, 0, 0.1], [0, 1.8, 0.3]])
    graph = single.graph([atoms]).differentiable()
    output = single.forward(graph)
    forces, (virial,) = forces_and_virial(graph, [output.energy], [torch.ones(1)])
    scale = np.abs(forces).max()
    assert np.abs(forces.sum(axis=0)).max() < tol.GRADIENT_FLOAT32 * scale
    torque = np.cross(atoms.positions, forces).sum(axis=0)
    assert np.abs(torque).max() < tol.GRADIENT_FLOAT32 * scale
    np.testing.assert_allclose(virial, -atoms.positions.T @ forces, atol=1e-3 * scale)


def test_gradients_of_a_convolution_alone(double, surface, rng):
    """With respect to features, harmonics and radial weights, each against autograd's."""
    graph = double.graph(surface[:1]).differentiable()
    data = double._data(graph)
    for step_name, step in double._steps:
        if isinstance(step, Convolution) and step_name.startswith("1"):
            break
        data = step(data)
    module = dict(double._modules)[step_name]
    inputs = [data[module.key_x], data[module.key_filter], data[module.key_weight_input]]
    upstream = None
    found = []
    for way in (step, module):
        given = [value.detach().requires_grad_() for value in inputs]
        names = (module.key_x, module.key_filter, module.key_weight_input)
        output = way(data | dict(zip(names, given, strict=True)))[module.key_x]
        if upstream is None:
            upstream = torch.as_tensor(rng.normal(size=output.shape))
        of_x, of_harmonics, of_basis = torch.autograd.grad(output, given, upstream)
        found.append((of_x, of_harmonics[:, 1:], of_basis))  # the first harmonic is constant
    assert EDGES in data
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(
            one, other, rtol=0, atol=tol.SEVENNET_AUTOGRAD * float(other.abs().max())
        )


def test_lengths_of_channels_do_not_turn_and_have_gradients(surface, rng):
    backbone = load_backbone("sevennet-0", "sevennet", {"norms": True}).double()
    atoms, layers = surface[0], [1, 4]
    turned = atoms.copy()
    turned.rotate(37.0, (1.0, 2.0, 3.0), rotate_cell=True)

    def features(network, frame):
        return network.forward(network.graph([frame]), layers, energy=False).layers

    found, after = features(backbone, atoms), features(backbone, turned)
    assert [found[layer].shape[1] for layer in layers] == [128 + 64 + 32, 128]
    for layer in layers:
        scale = found[layer].abs().max().item()
        torch.testing.assert_close(found[layer], after[layer], rtol=0, atol=tol.TURN * scale)
    lengths = found[1][:, 128:]
    assert lengths.min() >= 0.0
    assert lengths.std(dim=0).min() > 0.0
    graph = backbone.graph([atoms]).differentiable()
    h = backbone.forward(graph, [1], energy=False).layers[1]
    weights = torch.from_numpy(rng.normal(size=tuple(lengths.shape)))
    forces, _ = forces_and_virial(graph, [h[:, 128:]], [weights])
    moved = []
    for step in (STEP, -STEP):
        frame = atoms.copy()
        frame.positions[3, 2] += step
        moved.append((features(backbone, frame)[1][:, 128:] * weights).sum().item())
    assert -forces[3, 2] == pytest.approx((moved[0] - moved[1]) / (2 * STEP), rel=tol.FORCE)
