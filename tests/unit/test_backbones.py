"""The contract that every backbone adapter fulfils."""

import inspect
import itertools
import re
import subprocess
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import tolerances as tol
import torch
from adapters import ADAPTERS, load_adapter
from ase import Atoms
from derivatives import (
    Projected,
    assert_atomic_energies_add_up,
    assert_central_differences,
    assert_close,
    assert_nothing_needless,
    projections,
)

import mekrr.backbones
from mekrr.backbones.families import families, module_of
from mekrr.backbones.gradient import stress_of
from mekrr.backbones.load import load_backbone, load_network
from mekrr.errors import BackboneError

# SchNet's checkpoint has a mean of its frames' energies, which is no atom's.
WITH_ATOMIC_ENERGIES = {"chgnet-0.3.0", "diep", "esen", "sevennet-0", "sevennet-l3i5", "uma"}


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Loads a backbone of ADAPTERS anew."""
    return partial(load_adapter, folder=tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module", params=ADAPTERS)
def backbone(request, load):
    return load(request.param)


@pytest.fixture
def mixed(surface):
    """Slabs, one of them periodic in the plane only, a molecule and a lone atom."""
    surface[2].pbc = (True, True, False)
    carbon_monoxide = Atoms("CO", positions=[[0, 0, 0], [0, 0.5, 1.1]])
    return [*surface, carbon_monoxide, Atoms("O", cell=[20] * 3, pbc=True)]


def run(backbone, frames):
    with torch.inference_mode():
        return backbone.forward(backbone.graph(frames))


def assert_same(output, other, tolerance, rows=slice(None)):
    for layer, features in output.layers.items():
        scale = features.abs().max()
        difference = (other.layers[layer][rows] - features).abs().max()
        assert difference <= tolerance * scale, f"layer {layer}: {difference:.2e} of {scale:.2e}"
    if output.energy is not None:
        torch.testing.assert_close(other.energy, output.energy, rtol=1e-6, atol=1e-3)


def test_shapes_layers_and_dtype(backbone, surface):
    output = run(backbone, surface)
    n_atoms = sum(map(len, surface))
    assert tuple(output.layers) == backbone.layers
    assert {k: v.shape[1] for k, v in output.layers.items()} == ADAPTERS[backbone.name].widths
    for features in output.layers.values():
        assert features.shape[0] == n_atoms
        assert features.dtype.is_floating_point
        assert torch.isfinite(features).all()
    assert (output.energy is not None) == backbone.has_energy
    if backbone.has_energy:
        assert output.energy.shape == (len(surface),)
        assert len(backbone.weights_sha256) == 64


def test_layers_differ_and_tell_environments_apart(backbone, surface):
    features = list(run(backbone, surface).layers.values())
    for one, other in itertools.pairwise(features):
        assert (one - other).abs().max() > 1e-3
    copper = np.flatnonzero(surface[0].numbers == 29)
    for layer in features:
        assert layer[copper].std(dim=0).max() > 1e-4


def test_rotation(backbone, surface):
    turned = [atoms.copy() for atoms in surface]
    for atoms in turned:
        atoms.rotate(37, (1, 2, 3), rotate_cell=True)
    assert_same(run(backbone, surface), run(backbone, turned), tol.INVARIANCE)


def test_translation_and_periodic_images(backbone, surface, rng):
    moved = [atoms.copy() for atoms in surface]
    for atoms in moved:
        atoms.positions += rng.normal(size=3)
        atoms.positions += rng.integers(-1, 2, size=(len(atoms), 3)) @ atoms.cell.array
    assert_same(run(backbone, surface), run(backbone, moved), tol.INVARIANCE)


def test_permutation(backbone, surface, rng):
    order = rng.permutation(len(surface[0]))
    shuffled = run(backbone, [surface[0][order]])
    straight = run(backbone, [surface[0]])
    assert_same(straight, shuffled, tol.INVARIANCE, rows=torch.as_tensor(np.argsort(order)))


def test_supercell_repeats_the_features(backbone, surface):
    single = run(backbone, [surface[0]])
    double = run(backbone, [surface[0].repeat((2, 1, 1))])
    for layer, features in single.layers.items():
        difference = (double.layers[layer] - features.repeat(2, 1)).abs().max()
        assert difference <= tol.INVARIANCE * features.abs().max()


def test_batch_equals_single(backbone, mixed):
    batch = run(backbone, mixed)
    start = 0
    for k, atoms in enumerate(mixed):
        single = run(backbone, [atoms])
        for layer, features in single.layers.items():
            rows = batch.layers[layer][start : start + len(atoms)]
            assert (rows - features).abs().max() <= tol.BATCH * features.abs().max()
        if single.energy is not None:
            assert abs(single.energy[0] - batch.energy[k]) <= tol.OWN_ENERGY * len(atoms)
        start += len(atoms)


def test_inputs_are_not_mutated(backbone, surface):
    before = [(a.positions.copy(), a.numbers.copy(), a.cell.array.copy()) for a in surface]
    run(backbone, surface)
    for atoms, (positions, numbers, cell) in zip(surface, before, strict=True):
        np.testing.assert_array_equal(atoms.positions, positions)
        np.testing.assert_array_equal(atoms.numbers, numbers)
        np.testing.assert_array_equal(atoms.cell.array, cell)


def test_repeats_exactly_and_leaves_the_random_numbers_alone(backbone, surface):
    first = run(backbone, surface)
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    second = run(backbone, surface)
    assert torch.equal(torch.random.get_rng_state(), state)
    for layer, features in first.layers.items():
        assert torch.equal(second.layers[layer], features)


@pytest.fixture(scope="module")
def precise(backbone, load):
    """The same backbone in float64."""
    loaded = load(backbone.name)
    assert loaded.double() is loaded
    return loaded


@pytest.fixture
def few(surface):
    """A slab, one periodic in the plane only, a molecule without a cell, an atom alone."""
    surface[2].pbc = (True, True, False)
    molecule = Atoms("OCCu", positions=[[0, 0, 0], [0.3, 0.4, 1.1], [0.8, -1.3, 1.9]])
    return [surface[0], surface[2], molecule, Atoms("O", cell=[20] * 3, pbc=True)]


@pytest.fixture
def projected(backbone, rng):
    return projections(backbone, ADAPTERS[backbone.name].widths, rng)


def test_nothing_needless_is_computed(backbone, few):
    assert_nothing_needless(backbone, few)


def test_forces_and_virial_are_central_differences(precise, projected, few, rng):
    run(precise, few)  # what inference leaves behind must not spoil gradients
    for one in projected:
        assert_central_differences(one, precise, few, rng)


def test_forces_and_virial_in_float32(backbone, precise, projected, few):
    for one in projected:
        found, expected = (one.derivatives(b, few) for b in (backbone, precise))
        assert_close(found, expected, tol.FLOAT32_FORCES)


def test_no_net_force_nor_torque(precise, projected, few):
    """Nor does a virial tell a turn from none: it is symmetric."""
    positions = few[2].positions
    for one in projected:
        _, virial = one.derivatives(precise, few)
        assert_close([virial], [virial.swapaxes(1, 2)], tol.TURN)
        for frame in few:
            forces, _ = one.derivatives(precise, [frame])
            assert np.abs(forces.sum(axis=0)).max() <= tol.SYMMETRY * np.abs(forces).max()
        forces, _ = one.derivatives(precise, few[2:3])
        assert np.abs(forces).max() > 1e-3
        torque = np.cross(positions, forces).sum(axis=0)
        assert np.abs(torque).max() <= tol.TURN * np.abs(forces).max()


def test_forces_and_virial_turn_with_the_frame(precise, projected, few):
    turned = [atoms.copy() for atoms in few]
    for atoms in turned:
        atoms.rotate(37, (1, 2, 3), rotate_cell=True)
    basis = Atoms("H3", positions=np.eye(3))
    basis.rotate(37, (1, 2, 3))
    turn = basis.positions
    for one in projected:
        forces, virial = one.derivatives(precise, few)
        expected = forces @ turn, turn.T @ virial @ turn
        assert_close(one.derivatives(precise, turned), expected, tol.TURN)


def test_forces_and_virial_of_atoms_moved_and_shuffled(precise, projected, few, rng):
    """All of a frame at once, and some of its atoms to other cells; then in another order."""
    moved, orders = [], []
    for atoms in few:
        order = rng.permutation(len(atoms))
        other = atoms[order]
        images = rng.integers(-3, 4, size=(len(atoms), 3)) * atoms.pbc
        other.positions += rng.normal(size=3) + images @ atoms.cell.array
        moved.append(other)
        orders.append(order + sum(map(len, orders)))
    for one in projected:
        forces, virial = one.derivatives(precise, few)
        expected = forces[np.concatenate(orders)], virial
        assert_close(one.derivatives(precise, moved), expected, tol.SYMMETRY)


def test_each_frame_of_a_batch_has_its_own_forces_and_virial(precise, projected, few):
    for one in projected:
        alone = [one.derivatives(precise, [atoms]) for atoms in few]
        expected = [np.concatenate(parts) for parts in zip(*alone, strict=True)]
        assert_close(one.derivatives(precise, few), expected, tol.SYMMETRY)
        for of_the_atom in alone[-1]:
            assert not of_the_atom.any(), "an atom alone"


def test_a_supercell_has_the_same_forces_and_twice_the_virial(precise, projected, few):
    for one in projected:
        forces, virial = one.derivatives(precise, few[:1])
        expected = np.tile(forces, (2, 1)), 2 * virial
        double = one.derivatives(precise, [few[0].repeat((1, 2, 1))])
        assert_close(double, expected, tol.SYMMETRY)


def test_atomic_energies_add_up(backbone, few):
    if backbone.name not in WITH_ATOMIC_ENERGIES:
        assert run(backbone, few).atomic_energy is None
        return
    assert_atomic_energies_add_up(run(backbone, few), backbone.graph(few))


def test_forces_and_stress_are_those_of_its_own_calculator(name_and_calculator, load, surface):
    name, calculator = name_and_calculator
    backbone = load(name)
    for atoms in surface:
        forces, (virial,) = Projected(None).derivatives(backbone, [atoms])
        found = forces, stress_of(atoms, virial)
        atoms.calc = calculator
        expected = atoms.get_forces(), atoms.get_stress()
        assert_close(found, expected, tol.FLOAT32_FORCES)


@pytest.fixture(params=["chgnet-0.3.0", "diep", "sevennet-0", "sevennet-l3i5"])
def name_and_calculator(request):
    """A backbone and the calculator of its package."""
    if request.param == "chgnet-0.3.0":
        from chgnet.model.dynamics import CHGNetCalculator

        return request.param, CHGNetCalculator(use_device="cpu")
    if request.param == "diep":
        from diep.pretrained import make_calculator

        return request.param, make_calculator()
    from sevenn.calculator import SevenNetCalculator

    return request.param, SevenNetCalculator(request.param.replace("sevennet", "7net"))


def test_isolated_atom(backbone):
    """An atom without neighbours has features, if dull ones."""
    far = Atoms("CuOCu", positions=[[0, 0, 0], [0, 0, 1.9], [9, 9, 9]], cell=[18] * 3, pbc=True)
    for features in run(backbone, [far]).layers.values():
        assert torch.isfinite(features).all()


def test_unknown_element_is_named(backbone):
    frames = [Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.5]])] * 2
    backbone.check_species(frames, "mine.xyz")
    odd = Atoms("CuOg", positions=[[0, 0, 0], [0, 0, 2.5]])
    if 118 in backbone.species:
        pytest.skip("knows every element")
    with pytest.raises(BackboneError, match=r"mine\.xyz: frame 2: .*does not know Og"):
        backbone.check_species([*frames, odd], "mine.xyz")


def test_a_frame_is_named_by_its_own_number():
    """Its place in a shard says nothing."""
    odd = Atoms("Og", info={"frame": 2007})
    with pytest.raises(BackboneError, match=r"mine\.xyz: frame 2007: .*does not know Og"):
        load_backbone("chgnet-0.3.0", "chgnet").check_species([odd], "mine.xyz")


@pytest.mark.parametrize(
    ("name", "checkpoint"), [("sevennet-0", "7net-0"), ("sevennet-l3i5", "7net-l3i5")]
)
def test_sevennet_energy_is_that_of_its_own_calculator(name, checkpoint, load, surface):
    from sevenn.calculator import SevenNetCalculator

    calculator = SevenNetCalculator(checkpoint, device="cpu")
    energies = run(load(name), surface).energy
    for atoms, energy in zip(surface, energies.tolist(), strict=True):
        expected = calculator.get_potential_energy(atoms)
        assert energy == pytest.approx(expected, abs=tol.OWN_ENERGY * len(atoms))


@pytest.mark.parametrize("name", ["sevennet-0", "sevennet-l3i5"])
@pytest.mark.parametrize("loops", [True, False])
def test_sevennet_convolutions_are_its_own(name, loops, load, surface, monkeypatch):
    """Features of every layer, step by step with the modules of the package; as on a GPU too."""
    monkeypatch.setattr("mekrr.backbones.sevennet.convolution.in_loops", lambda x: loops)
    backbone = load(name)
    quick = run(backbone, surface)
    steps = backbone._steps
    backbone._steps = backbone._modules
    try:
        plain = run(backbone, surface)
    finally:
        backbone._steps = steps
    for layer, features in plain.layers.items():
        scale = float(features.abs().max())
        torch.testing.assert_close(quick.layers[layer], features, rtol=0, atol=tol.SEVENNET * scale)


def test_unknown_checkpoint_is_named():
    with pytest.raises(BackboneError, match="unknown checkpoint '7net-9'; known: 7net-0, 7net-l3i"):
        load_backbone("mine", "sevennet", {"checkpoint": "7net-9"})


@pytest.mark.parametrize(
    ("family", "settings", "message"),
    [
        ("gemnet", {}, "unknown family 'gemnet'; known: analytic"),
        ("chgnet", {"options": {"layer": 3}}, "family 'chgnet' takes no 'layer'; it takes: none"),
        ("sevennet", {"weights": "a.pth"}, "takes no 'weights'; it takes: checkpoint"),
        ("schnet", {}, "needs 'weights'; add it to the registry"),
        ("soap", {}, "needs 'species'; add it to the registry"),
    ],
)
def test_what_a_family_cannot_do_is_named(family, settings, message):
    with pytest.raises(BackboneError, match=message):
        load_backbone("mine", family, **settings)


@pytest.mark.parametrize(
    ("family", "package"),
    [("chgnet", "chgnet"), ("diep", "diep"), ("fairchem", "fairchem"), ("soap", "featomic")],
)
def test_a_missing_library_is_one_line_that_says_what_to_install(monkeypatch, family, package):
    monkeypatch.delitem(sys.modules, f"mekrr.backbones.{family}.adapter", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    for module in [m for m in sys.modules if m.startswith(f"{package}.")]:
        monkeypatch.setitem(sys.modules, module, None)
    message = f"backbone 'mine' needs the package {package}; pip install '{package}"
    with pytest.raises(BackboneError, match=f"^{re.escape(message)}[^\n]*$"):
        load_backbone("mine", family)


def test_families_are_told_without_their_libraries():
    """Rules are parsed with them, and every family says where its code is."""
    program = (
        "import sys; from mekrr.backbones.families import families; print(*families()); "
        "print(*{'torch', 'numpy', 'ase'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    folders = sorted(
        p.parent.name for p in Path(mekrr.backbones.__file__).parent.glob("*/adapter.py")
    )
    assert run.stdout.split("\n")[:2] == [" ".join(folders), ""], run.stderr
    for name, family in families().items():
        for reference, module in ((family.adapter, "adapter"), (family.network, "finetune")):
            assert reference is None or module_of(reference) == f"mekrr.backbones.{name}.{module}"


@pytest.mark.parametrize("family", families())
def test_a_family_takes_the_options_of_its_adapter(family):
    told = families()[family]
    module, _, name = told.adapter.partition(":")
    taken = set(inspect.signature(getattr(import_module(module), name)).parameters) - {"name"}
    assert taken - {"weights"} == told.options.model_fields.keys()
    assert ("weights" in taken) == (told.weights != "none")


def test_a_network_of_a_family_that_is_not_trained_is_refused():
    entry = {"start": "diep", "frozen": 1}
    message = "'n': family 'diep' of 'diep' cannot be trained; those that can: chgnet, schnet, sev"
    with pytest.raises(BackboneError, match=message):
        load_network("n", entry, {"family": "diep"})


def test_chgnet_features_and_energy_are_those_of_its_own_graph(surface):
    """Our graph against CHGNet's own converter, which builds it edge by edge."""
    from chgnet.model.dynamics import CHGNetCalculator
    from pymatgen.io.ase import AseAtomsAdaptor

    backbone = load_backbone("chgnet-0.3.0", "chgnet")
    output = run(backbone, surface)
    calculator = CHGNetCalculator(use_device="cpu")
    start = 0
    for k, atoms in enumerate(surface):
        expected = calculator.get_potential_energy(atoms)
        assert float(output.energy[k]) == pytest.approx(expected, abs=tol.OWN_ENERGY * len(atoms))
        own = calculator.model.predict_structure(
            AseAtomsAdaptor.get_structure(atoms), task="e", return_atom_feas=True
        )["atom_fea"]
        ours = output.layers[3][start : start + len(atoms)].numpy()
        np.testing.assert_allclose(ours, own, atol=tol.BATCH * np.abs(own).max())
        start += len(atoms)
