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

import mekrr.backbones
from mekrr.backbones.families import families, module_of
from mekrr.backbones.load import load_backbone, load_network
from mekrr.errors import BackboneError


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


def in_float64(precise):
    """The backbone with float64 weights, so that finite differences mean something."""
    if hasattr(precise, "_model"):
        for module in precise._model.double().children():
            module.register_forward_hook(promote)
    return precise


def promote(_module, _inputs, output):
    """SevenNet's one-hot species are float32 whatever the weights are."""
    if isinstance(output, dict):
        for key, value in output.items():
            if isinstance(value, torch.Tensor) and value.dtype == torch.float32:
                output[key] = value.double()


def test_position_gradients_are_finite_differences(backbone, load, surface, rng):
    """Of w·h for every layer, with random weights w, and of the energy, in float64.

    Along a random direction, after a pass in inference mode, which must not spoil gradients.
    """
    precise = in_float64(load(backbone.name))
    atoms = surface[0]
    run(precise, [atoms])
    direction = torch.as_tensor(rng.normal(size=(len(atoms), 3)))
    widths = ADAPTERS[backbone.name].widths
    weights = {layer: torch.as_tensor(rng.normal(size=d)) for layer, d in widths.items()}

    def values(step):
        graph = precise.graph([atoms])
        graph.positions = (graph.positions + step * direction).requires_grad_()
        output = precise.forward(graph)
        assert all(h.dtype == torch.float64 for h in output.layers.values())
        projections = {f"layer {k}": (h @ weights[k]).sum() for k, h in output.layers.items()}
        if precise.has_energy:
            projections["energy"] = output.energy.sum()
        return graph.positions, projections

    positions, here = values(0.0)
    step = 1e-5
    with torch.no_grad():
        ahead, behind = (values(sign * step)[1] for sign in (1, -1))
    for name, value in here.items():
        (gradient,) = torch.autograd.grad(value, positions, retain_graph=True)
        slope = (gradient * direction).sum().item()
        difference = (ahead[name] - behind[name]).item() / (2 * step)
        assert slope == pytest.approx(difference, rel=tol.GRADIENT, abs=1e-6), name


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
def test_sevennet_convolutions_are_its_own(name, load, surface):
    """Features of every layer, step by step with the modules of the package."""
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
    message = f"backbone 'mine' needs the package {package}; pip install 'mekrr[{family}]'"
    with pytest.raises(BackboneError, match=f"^{re.escape(message)}$"):
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
