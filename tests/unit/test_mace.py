"""MACE: small random models, pickled and checked by mace-torch itself; files that run code.

mace-torch has an environment of its own, envs/mace.yaml. Elsewhere only those tests run that
need none: what is refused, is refused without it.
"""

import contextlib
import copy
import importlib.util
import os
import pickle
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
import tolerances as tol
import torch
from ase import Atoms
from ase.build import bulk, molecule
from derivatives import (
    Projected,
    assert_atomic_energies_add_up,
    assert_central_differences,
    assert_close,
    assert_nothing_needless,
    projections,
)
from torch.fx.graph_module import reduce_graph_module

from mekrr.backbones.gradient import stress_of
from mekrr.backbones.mace.adapter import MACE, MODEL, SWITCH, read_inert
from mekrr.errors import BackboneError

needs_mace = pytest.mark.skipif(
    importlib.util.find_spec("mace") is None, reason="mace-torch is not installed (envs/mace.yaml)"
)

NUMBERS = [6, 8, 26, 29]
REFERENCES = [-1.0, -2.0, -3.0, -4.0]  # eV, energies of single atoms
PLAIN = {
    "r_max": 4.5,
    "num_bessel": 6,
    "num_polynomial_cutoff": 5,
    "max_ell": 2,
    "interaction_cls": "RealAgnosticResidualInteractionBlock",
    "interaction_cls_first": "RealAgnosticInteractionBlock",
    "num_interactions": 2,
    "num_elements": 4,
    "hidden_irreps": "8x0e+8x1o",
    "MLP_irreps": "4x0e",
    "atomic_energies": np.array([REFERENCES]),
    "avg_num_neighbors": 9.5,
    "atomic_numbers": NUMBERS,
    "correlation": 2,
    "gate": "silu",
    "radial_MLP": [16, 16],
    "atomic_inter_scale": 0.8,
    "atomic_inter_shift": 0.1,
}
DENSE = PLAIN | {
    "interaction_cls": "RealAgnosticDensityResidualInteractionBlock",
    "interaction_cls_first": "RealAgnosticDensityInteractionBlock",
    "num_interactions": 3,
    "hidden_irreps": "6x0e+6x1o+6x2e",
    "distance_transform": "Agnesi",
    "pair_repulsion": True,
    "gate": "tanh",
}
HEADS = PLAIN | {
    "heads": ["Default", "r2scan"],
    "atomic_energies": np.array([REFERENCES, [-5.0, -6.0, -7.0, -8.0]]),
    "atomic_inter_scale": [0.8, 0.5],
    "atomic_inter_shift": [0.1, -0.2],
}
MODELS = {"plain": PLAIN, "dense": DENSE, "heads": HEADS}
WIDTHS = {"plain": {1: 8, 2: 8}, "dense": {1: 6, 2: 6, 3: 6}, "heads": {1: 8, 2: 8}}


def random_model(settings, kind="ScaleShiftMACE"):
    """A model of mace-torch with random weights."""
    from mace import modules
    from mace.modules import gate_dict, interaction_classes

    irreps = importlib.import_module("e3nn.o3").Irreps  # after mace, which makes it importable
    torch.manual_seed(3)
    settings = dict(settings)
    for key in ("interaction_cls", "interaction_cls_first"):
        settings[key] = interaction_classes[settings[key]]
    for key in ("hidden_irreps", "MLP_irreps"):
        settings[key] = irreps(settings[key])
    settings["gate"] = gate_dict[settings["gate"]]
    if kind == "MACE":
        settings = {k: v for k, v in settings.items() if not k.startswith("atomic_inter")}
    return getattr(modules, kind)(**settings)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Models by name, and the files that they were pickled to."""
    folder = tmp_path_factory.mktemp("mace")
    made = {name: random_model(settings) for name, settings in MODELS.items()}
    for name, model in made.items():
        torch.save(model, folder / f"{name}.model")
    return {name: (model, folder / f"{name}.model") for name, model in made.items()}


@pytest.fixture(scope="module", params=MODELS)
def backbone(request, models):
    return MACE(request.param, models[request.param][1])


@pytest.fixture
def mixed(surface, rng):
    """Slabs, one of them periodic in the plane only, a crystal, a molecule and a lone atom."""
    surface[2].pbc = (True, True, False)
    iron = bulk("Fe", cubic=True)
    iron.positions += 0.08 * rng.normal(size=iron.positions.shape)
    return [*surface, iron, molecule("CO"), Atoms("O", cell=[20] * 3, pbc=True)]


def run(backbone, frames):
    with torch.inference_mode():
        return backbone.forward(backbone.graph(frames))


def own_calculator(model, **settings):
    from mace.calculators import MACECalculator

    model = copy.deepcopy(model).double()
    return MACECalculator(models=[model], device="cpu", default_dtype="float64", **settings)


def assert_same(output, other, tolerance, rows=slice(None)):
    for layer, features in output.layers.items():
        scale = features.abs().max()
        difference = (other.layers[layer][rows] - features).abs().max()
        assert difference <= tolerance * scale, f"layer {layer}: {difference:.2e} of {scale:.2e}"


# The contract, and the numbers of mace-torch


@needs_mace
def test_shapes_and_species(backbone, surface):
    output = run(backbone, surface)
    n_atoms = sum(map(len, surface))
    shapes = {layer: (n_atoms, width) for layer, width in WIDTHS[backbone.name].items()}
    assert {layer: tuple(h.shape) for layer, h in output.layers.items()} == shapes
    assert tuple(output.layers) == backbone.layers
    assert all(h.dtype == torch.float32 for h in output.layers.values())
    assert output.energy.shape == (len(surface),)
    assert len(backbone.weights_sha256) == 64
    assert backbone.species == set(NUMBERS)
    frames = [*surface, Atoms("CuOg", positions=[[0, 0, 0], [0, 0, 2.5]])]
    with pytest.raises(BackboneError, match=r"mine\.xyz: frame 3: .*does not know Og"):
        backbone.check_species(frames, "mine.xyz")


@needs_mace
def test_features_energies_and_derivatives_are_those_of_its_own_calculator(backbone, models, mixed):
    model, path = models[backbone.name]
    calculator = own_calculator(model)
    precise = MACE(backbone.name, path)
    precise.double()
    for atoms in mixed:
        output = run(precise, [atoms])
        energy = calculator.get_potential_energy(atoms)
        assert output.energy.item() == pytest.approx(energy, rel=tol.PEER)
        forces, (virial,) = Projected(None).derivatives(precise, [atoms])
        assert_close([forces], [calculator.get_forces(atoms)], tol.PEER)
        if atoms.pbc.all():  # else MACE makes up a cell, whose volume it divides by
            stress = stress_of(atoms, virial)
            assert_close([stress], [calculator.get_stress(atoms)], tol.PEER)
        own = calculator.get_descriptors(atoms, invariants_only=True).reshape(len(atoms), -1)
        for result, tolerance in ((output, tol.PEER), (run(backbone, [atoms]), tol.BATCH)):
            features = torch.cat(list(result.layers.values()), dim=1).detach().numpy()
            atol = tolerance * np.abs(own).max()
            np.testing.assert_allclose(features, own, rtol=0, atol=atol)


@needs_mace
def test_energies_in_float32(backbone, models, surface):
    calculator = own_calculator(models[backbone.name][0])
    for atoms, energy in zip(surface, run(backbone, surface).energy.tolist(), strict=True):
        expected = calculator.get_potential_energy(atoms)
        assert energy == pytest.approx(expected, abs=tol.OWN_ENERGY * len(atoms))


@needs_mace
def test_layers_differ_and_tell_environments_apart(backbone, surface):
    layers = run(backbone, surface).layers
    copper = np.flatnonzero(surface[0].numbers == 29)
    for layer, features in layers.items():
        assert features[copper].std(dim=0).max() > 1e-4
        assert layer == 1 or (features - layers[layer - 1]).abs().max() > 1e-3


@needs_mace
def test_rotation_translation_and_periodic_images(backbone, surface, rng):
    output = run(backbone, surface)
    turned, moved = ([atoms.copy() for atoms in surface] for _ in range(2))
    for atoms in turned:
        atoms.rotate(37, (1, 2, 3), rotate_cell=True)
    for atoms in moved:
        atoms.positions += 100 * rng.normal(size=3)
        atoms.positions += rng.integers(-9, 9, size=(len(atoms), 3)) @ atoms.cell.array
    assert_same(output, run(backbone, turned), tol.INVARIANCE)
    assert_same(output, run(backbone, moved), tol.INVARIANCE)


@needs_mace
def test_permutation_and_supercell(backbone, surface, rng):
    atoms = surface[0]
    straight = run(backbone, [atoms])
    order = rng.permutation(len(atoms))
    shuffled = run(backbone, [atoms[order]])
    assert_same(straight, shuffled, tol.INVARIANCE, rows=torch.as_tensor(np.argsort(order)))
    double = run(backbone, [atoms.repeat((2, 1, 1))])
    for image in (slice(len(atoms)), slice(len(atoms), None)):
        assert_same(straight, double, tol.INVARIANCE, rows=image)


@needs_mace
def test_a_batch_gives_what_single_frames_give(backbone, mixed):
    before = [atoms.copy() for atoms in mixed]
    batch = run(backbone, mixed)
    assert mixed == before, "frames are not mutated"
    start = 0
    for k, atoms in enumerate(mixed):
        single = run(backbone, [atoms])
        for layer, features in single.layers.items():
            rows = batch.layers[layer][start : start + len(atoms)]
            assert (rows - features).abs().max() <= tol.BATCH * batch.layers[layer].abs().max()
        assert abs(single.energy[0] - batch.energy[k]) <= tol.OWN_ENERGY * len(atoms)
        start += len(atoms)


@needs_mace
def test_forces_and_virials(backbone, models, mixed, rng):
    """Of w·h for every layer, with random weights w, and of the energy."""
    precise = MACE(backbone.name, models[backbone.name][1])
    assert precise.double() is precise
    run(precise, mixed)  # what inference leaves behind must not spoil gradients
    for one in projections(precise, WIDTHS[backbone.name], rng):
        assert_central_differences(one, precise, mixed, rng)
        found = one.derivatives(precise, mixed)
        assert_close(one.derivatives(backbone, mixed), found, tol.FLOAT32_FORCES)
        alone = [one.derivatives(precise, [atoms]) for atoms in mixed]
        expected = [np.concatenate(parts) for parts in zip(*alone, strict=True)]
        assert_close(found, expected, tol.SYMMETRY)


@needs_mace
def test_nothing_needless_is_computed(backbone, mixed):
    assert_nothing_needless(backbone, mixed)


@needs_mace
def test_atomic_energies_add_up(backbone, mixed):
    assert_atomic_energies_add_up(run(backbone, mixed), backbone.graph(mixed))


@needs_mace
def test_frames_without_edges(backbone):
    lone, boxed = Atoms("Cu"), Atoms("O", cell=[20] * 3, pbc=True)
    for frames in ([lone], [lone, boxed], [boxed, molecule("CO"), lone]):
        output = run(backbone, frames)
        assert torch.isfinite(output.energy).all()
        assert all(torch.isfinite(h).all() for h in output.layers.values())


@needs_mace
def test_gradients_only_where_asked_for(backbone, surface):
    graph = backbone.graph(surface)
    output = backbone.forward(graph)
    assert not output.energy.requires_grad
    assert not graph.positions.requires_grad


@needs_mace
def test_head(models, surface):
    model, path = models["heads"]
    energies = {}
    for head in (None, "Default", "r2scan"):
        energies[head] = run(MACE("m", path, head=head), surface).energy
    assert torch.equal(energies[None], energies["Default"])
    expected = own_calculator(model, head="r2scan").get_potential_energy(surface[0])
    assert energies["r2scan"][0].item() == pytest.approx(expected, abs=tol.OWN_ENERGY * 10)
    with pytest.raises(BackboneError, match="head is 'pbe'; the model offers Default, r2scan"):
        MACE("m", path, head="pbe")
    with pytest.raises(BackboneError, match=r"head is 'r2scan'; the model offers Default$"):
        MACE("m", models["plain"][1], head="r2scan")


@needs_mace
def test_a_file_in_float64_gives_the_same(tmp_path, models, surface):
    path = tmp_path / "double.model"
    torch.save(random_model(PLAIN).double(), path)
    assert_same(run(MACE("m", path), surface), run(MACE("m", models["plain"][1]), surface), 1e-6)


# Models that it cannot be


@needs_mace
def test_models_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "other.model"
    torch.save(random_model(PLAIN, "MACE"), path)
    with pytest.raises(BackboneError, match=r"other\.model: holds a MACE; give a ScaleShiftMACE"):
        MACE("m", path)
    charged = {"total_charge": {"type": "continuous", "per": "graph", "in_dim": 1, "emb_dim": 4}}
    torch.save(random_model(PLAIN | {"embedding_specs": charged}), path)
    with pytest.raises(BackboneError, match=r"other\.model: the model depends on total_charge"):
        MACE("m", path)
    torch.save(random_model(PLAIN | {"radial_type": "gaussian"}), path)
    with pytest.raises(BackboneError, match=r"cannot build .*GaussianBasis has no bessel_weights"):
        MACE("m", path)


@needs_mace
def test_weights_that_do_not_fit_are_named(tmp_path):
    path = tmp_path / "odd.model"
    model = random_model(PLAIN)
    weight = model.products[0].linear.weight
    model.products[0].linear.weight = torch.nn.Parameter(weight[:-1])
    torch.save(model, path)
    with pytest.raises(BackboneError, match=r"odd\.model: it has products\.0\.linear\.weight of s"):
        MACE("m", path)
    del model.products[0].linear.weight
    torch.save(model, path)
    with pytest.raises(BackboneError, match=r"odd\.model: it lacks products\.0\.linear\.weight;"):
        MACE("m", path)
    model.products[0].linear.weight = weight
    model.products[0].linear.bent = torch.nn.Parameter(weight)
    torch.save(model, path)
    with pytest.raises(BackboneError, match=r"it has unexpected products\.0\.linear\.bent;"):
        MACE("m", path)


# A file from outside runs no code


class Payload:
    """Runs a command when unpickled."""

    def __init__(self, marker):
        self.command = f"touch {marker}"

    def __reduce__(self):
        return os.system, (self.command,)


class WrittenFunction(torch.nn.Module):
    """Source text that torch.fx runs when unpickled, as it does that of every MACE model."""

    def __init__(self, marker):
        super().__init__()
        self.marker = str(marker)

    def __reduce__(self):
        code = f"import os\nos.system('touch {self.marker}')\ndef forward(self): return None\n"
        return reduce_graph_module, ({"_code": code, "_modules": {}}, "")


def assert_live(path, marker):
    """Unpickled as usual, the file does run its code."""
    assert not marker.exists()
    with contextlib.suppress(Exception):  # what follows the code matters not
        torch.load(path, weights_only=False)
    assert marker.exists()


@pytest.mark.parametrize("scan", [True, False])
def test_pickled_code_does_not_run(tmp_path, monkeypatch, scan):
    path, marker = tmp_path / "evil.model", tmp_path / "ran"
    torch.save({"model": Payload(marker)}, path)
    with monkeypatch.context() as patched:
        if not scan:  # torch's look ahead names what it finds; its loader refuses by itself
            patched.setattr(
                torch.serialization, "get_unsafe_globals_in_checkpoint", lambda _path: []
            )
        with pytest.raises(BackboneError, match=r"evil\.model: refused, since loading") as caught:
            MACE("m", path)
    assert "\n" not in str(caught.value)
    assert ("system" in str(caught.value)) == scan
    assert_live(path, marker)


def test_source_text_in_a_pickle_does_not_run(tmp_path):
    path, marker = tmp_path / "evil.model", tmp_path / "ran"
    torch.save(WrittenFunction(marker), path)
    with pytest.raises(BackboneError, match=r"evil\.model: holds a reduce_graph_module; give"):
        MACE("m", path)
    assert_live(path, marker)


@needs_mace
def test_source_text_in_a_model_does_not_run(tmp_path, models, surface):
    path, marker = tmp_path / "evil.model", tmp_path / "ran"
    model = random_model(PLAIN)
    model.products[0].symmetric_contractions.contractions[0].written = WrittenFunction(marker)
    torch.save(model, path)
    assert_same(run(MACE("m", path), surface), run(MACE("m", models["plain"][1]), surface), 0)
    assert_live(path, marker)


def test_bare_pickle_does_not_run(tmp_path):
    path, marker = tmp_path / "evil.model", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Payload(marker)))
    with pytest.raises(BackboneError, match=r"evil\.model: cannot be read \("):
        MACE("m", path)
    assert not marker.exists()


def test_unusable_files_are_named(tmp_path):
    files = {name: tmp_path / f"{name}.model" for name in ("none", "half", "text", "dict", "jit")}
    torch.save({"weight": torch.zeros(9)}, files["dict"])
    files["half"].write_bytes(files["dict"].read_bytes()[:400])
    files["text"].write_text("model: mace\n")
    torch.jit.script(torch.nn.Linear(2, 2)).save(files["jit"])
    for name, path in files.items():
        with pytest.raises(BackboneError) as caught:
            MACE("m", path)
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message
        assert ("no such file" if name == "none" else "give a ScaleShiftMACE model") in message
    with pytest.raises(BackboneError, match="holds a dict"):
        MACE("m", files["dict"])


@pytest.fixture
def empty_model(tmp_path, monkeypatch):
    """A file with a ScaleShiftMACE of no parts, made without mace-torch."""
    module, _, kind = MODEL.rpartition(".")
    stand_in = ModuleType(module)
    stand_in.ScaleShiftMACE = type(kind, (torch.nn.Module,), {"__module__": module})
    with monkeypatch.context() as patched:
        for name in ("mace", "mace.modules", module):
            patched.setitem(sys.modules, name, stand_in)
        torch.save(stand_in.ScaleShiftMACE(), tmp_path / "empty.model")
    return tmp_path / "empty.model"


def test_without_mace_torch_its_environment_is_named(empty_model, monkeypatch):
    assert read_inert(empty_model).training
    monkeypatch.setitem(sys.modules, "mace", None)
    with pytest.raises(BackboneError, match=r"mace-torch is not .* here .*envs/mace\.yaml"):
        MACE("m", empty_model)


@needs_mace
def test_a_model_without_parts_is_refused(empty_model):
    with pytest.raises(BackboneError, match=r"empty\.model: mace-torch cannot build the model"):
        MACE("m", empty_model)


@needs_mace
def test_torch_load_stays_safe(models):
    """Importing mace makes torch.load unpickle anything; that is undone."""
    script = (
        f"from mekrr.backbones.mace.adapter import MACE; MACE('m', {str(models['plain'][1])!r}); "
        f"import os; print(os.environ.get({SWITCH!r}))"
    )
    environment = {name: value for name, value in os.environ.items() if name != SWITCH}
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split()[-1] == "None"
