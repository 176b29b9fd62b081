"""SchNet from checkpoints in the layout of OC20, against the equations written out."""

import collections
import itertools
import logging
import os
import pickle
import zipfile

import numpy as np
import pytest
import tolerances as tol
import torch
import torch_geometric.nn
from ase import Atoms
from ase.build import bulk
from checkpoints import MEAN, STD, schnet_checkpoint
from derivatives import assert_atomic_energies_add_up
from torch_geometric.index import CatMetadata

from mekrr.backbones.schnet import adapter, oc20
from mekrr.backbones.schnet.adapter import (
    TABLE_TOLERANCE,
    TIE,
    SchNet,
    exact_filters,
)
from mekrr.backbones.schnet.layers import SchNetLayers
from mekrr.backbones.schnet.oc20 import MAX_NEIGHBOURS
from mekrr.backbones.schnet.tabulated import HermiteTable
from mekrr.errors import BackboneError
from mekrr.files import sha256


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "random.pt"
    schnet_checkpoint(path)
    return path


@pytest.fixture(scope="module", params=[False, True], ids=["table", "exact"])
def backbone(request, path):
    return SchNet("mine", path, exact=request.param)


@pytest.fixture
def precise(backbone, path):
    """The same backbone with float64 weights."""
    return SchNet("mine", path, exact=backbone._exact).double()


def run(backbone, frames):
    with torch.inference_mode():
        return backbone.forward(backbone.graph(frames))


def assert_same(layers, expected, tolerance):
    assert tuple(layers) == tuple(expected)
    for layer, features in expected.items():
        features = torch.as_tensor(features)
        difference = (layers[layer] - features).abs().max()
        assert difference <= tolerance * features.abs().max(), f"layer {layer}: {difference:.1e}"


def neighbours(atoms, cutoff):
    """For each atom, (distance, neighbour, translation) of its nearest neighbours."""
    reach = [
        range(-n, n + 1) if periodic else range(1)
        for n, periodic in zip(
            np.ceil(cutoff / np.linalg.norm(atoms.cell.array, axis=1)).astype(int) + 1,
            atoms.pbc,
            strict=True,
        )
    ]
    shifts = np.array(list(itertools.product(*reach))) @ atoms.cell.array
    nearest = []
    for here in atoms.positions:
        found = []
        for j, there in enumerate(atoms.positions):
            distances = np.linalg.norm(there + shifts - here, axis=1)
            for k in np.flatnonzero((distances > 0) & (distances <= cutoff)):
                found.append((round(distances[k] / TIE), j, *shifts[k], distances[k]))
        nearest.append([(d, j, shift) for _, j, *shift, d in sorted(found)[:50]])
    return nearest


def equations(content, atoms):
    """Features per layer and energy of one frame, edge by edge in float64."""
    size = content["config"]["model_attributes"]
    w = {
        key.replace("module.", ""): value.double().numpy()
        for key, value in content["state_dict"].items()
    }

    log2 = float(np.float32(np.log(2)))  # as PyG has it, in whatever precision

    def ssp(x):
        return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0) - log2

    def linear(name, x):
        return w[f"{name}.weight"] @ x + w.get(f"{name}.bias", 0)

    near = neighbours(atoms, size["cutoff"])
    centres = w["distance_expansion.offset"]
    width = centres[1] - centres[0]
    h = np.stack([w["embedding.weight"][z] for z in atoms.numbers])
    layers = {}
    for t in range(size["num_interactions"]):
        name = f"interactions.{t}"
        update = np.zeros_like(h)
        for i in range(len(atoms)):
            total = np.zeros(size["num_filters"])
            for d, j, _ in near[i]:
                gauss = np.exp(-((d - centres) ** 2) / (2 * width**2))
                filter_ = linear(f"{name}.mlp.2", ssp(linear(f"{name}.mlp.0", gauss)))
                envelope = (np.cos(np.pi * d / size["cutoff"]) + 1) / 2
                total += linear(f"{name}.conv.lin1", h[j]) * filter_ * envelope
            update[i] = linear(f"{name}.lin", ssp(linear(f"{name}.conv.lin2", total)))
        h = h + update
        layers[t + 1] = h
    output = sum(float(linear("lin2", ssp(linear("lin1", row)))[0]) for row in h)
    mean, std = (float(content["normalizers"]["target"][key]) for key in ("mean", "std"))
    return layers, output * std + mean


def test_what_it_says_of_itself(backbone, path, surface):
    assert backbone.species == frozenset(range(1, 100))
    assert backbone.weights_sha256 == sha256(path)
    assert {h.dtype for h in run(backbone, surface).layers.values()} == {torch.float32}


@pytest.mark.parametrize("exact", [False, True])
def test_features_and_energy_are_the_equations(tmp_path, surface, exact):
    content = schnet_checkpoint(tmp_path / "random.pt")
    atoms = surface[1]  # with more than 50 neighbours
    layers, energy = equations(content, atoms)
    backbone = SchNet("mine", tmp_path / "random.pt", exact=exact)
    single = run(backbone, [atoms])
    assert_same(single.layers, layers, tol.SCHNET_FLOAT32 if exact else tol.SCHNET_TABLE)
    double = run(backbone.double(), [atoms])
    assert double.layers[1].dtype == torch.float64
    tolerance = tol.SCHNET if exact else tol.SCHNET_TABLE
    assert_same(double.layers, layers, tolerance)
    assert float(double.energy[0]) == pytest.approx(energy, rel=tolerance)


def test_features_and_energy_are_those_of_torch_geometric(tmp_path, surface):
    """PyG's own forward pass, given our edges: neighbour to centre."""
    content = schnet_checkpoint(tmp_path / "random.pt", prefix="")
    backbone = SchNet("mine", tmp_path / "random.pt", exact=True).double()
    graph = backbone.graph(surface)
    edges = torch.stack([graph.neighbour, graph.centre])
    distance = graph.edge_vectors().norm(dim=1)
    size = content["config"]["model_attributes"]
    model = torch_geometric.nn.SchNet(
        **{key: value for key, value in size.items() if key not in ("use_pbc", "otf_graph")},
        interaction_graph=lambda _positions, _frame: (edges, distance),
    )
    model.load_state_dict(content["state_dict"])
    layers = {}
    for number, block in enumerate(model.double().interactions, start=1):
        block.register_forward_hook(
            lambda _module, inputs, out, number=number: layers.update({number: inputs[0] + out})
        )
    with torch.inference_mode():
        energy = model(graph.species, graph.positions, graph.frame)[:, 0]
    output = run(backbone, surface)
    assert_same(output.layers, layers, tol.SCHNET)
    mean, std = (float(content["normalizers"]["target"][key]) for key in ("mean", "std"))
    torch.testing.assert_close(output.energy, energy * std + mean, rtol=tol.SCHNET, atol=0)


@pytest.mark.parametrize("size", [{}, {"hidden_channels": 24, "num_filters": 16, "cutoff": 5.0}])
def test_a_seed_gives_the_names_and_weights_of_torch_geometric(size):
    states = []
    for kind in (SchNetLayers, torch_geometric.nn.SchNet):
        torch.manual_seed(7)
        states.append(kind(**size).state_dict())
    ours, theirs = states
    assert list(ours) == list(theirs)
    for name, weights in theirs.items():
        torch.testing.assert_close(ours[name], weights, rtol=0, atol=0)


@pytest.mark.parametrize("prefix", ["", "module.", "module.module."])
def test_prefixes_extras_and_numpy_scalars_do_not_matter(tmp_path, surface, prefix):
    schnet_checkpoint(tmp_path / "plain.pt")
    filled = collections.defaultdict(list)
    filled["lr"].append(1e-4)
    content = schnet_checkpoint(
        tmp_path / "other.pt",
        prefix=prefix,
        optimizer={"state": filled, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999)}]},
        scheduler={"milestones": collections.Counter([3, 5])},
        val_metrics={"energy_mae": {"metric": np.float64(0.5), "numel": np.int64(7)}},
        best=np.float32(0.5),
    )
    content["state_dict"][f"{prefix}atomic_mass"] = torch.ones(119)
    torch.save(content, tmp_path / "other.pt")
    other = run(SchNet("other", tmp_path / "other.pt", exact=True), surface)
    plain = run(SchNet("plain", tmp_path / "plain.pt", exact=True), surface)
    assert_same(other.layers, plain.layers, 0.0)


def test_numpy_scalars_of_numpy_1(tmp_path):
    """Its pickles name a module that numpy 2 has renamed."""
    schnet_checkpoint(tmp_path / "new.pt", metric=np.float64(0.5))
    with (
        zipfile.ZipFile(tmp_path / "new.pt") as new,
        zipfile.ZipFile(tmp_path / "old.pt", "w") as old,
    ):
        for entry in new.infolist():
            data = new.read(entry)
            if entry.filename.endswith("data.pkl"):
                assert b"numpy._core.multiarray" in data
                data = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            old.writestr(entry.filename, data)
    assert oc20.read_checkpoint(tmp_path / "old.pt")["metric"] == 0.5


def test_energy_without_normalizers(tmp_path, surface):
    schnet_checkpoint(tmp_path / "with.pt")
    schnet_checkpoint(tmp_path / "without.pt", normalizers={})
    scaled = run(SchNet("with", tmp_path / "with.pt"), surface).energy
    bare = run(SchNet("without", tmp_path / "without.pt"), surface).energy
    torch.testing.assert_close(bare * STD + MEAN, scaled)


def test_atomic_energies_where_the_mean_is_zero(tmp_path, surface):
    normalizers = {"target": {"mean": torch.tensor(0.0), "std": torch.tensor(STD)}}
    schnet_checkpoint(tmp_path / "s.pt", normalizers=normalizers)
    backbone = SchNet("s", tmp_path / "s.pt")
    assert_atomic_energies_add_up(run(backbone, surface), backbone.graph(surface))


# --- neighbours


def crowded(rng, noise=0.05):
    """Copper, where each atom has 78 neighbours within 6 Å."""
    atoms = bulk("Cu", a=3.6).repeat((2, 2, 3))
    atoms.numbers[::3] = 8
    atoms.positions += noise * rng.normal(size=atoms.positions.shape)
    return atoms


def edges_of(graph):
    triples = zip(graph.centre.tolist(), graph.neighbour.tolist(), graph.shift, strict=True)
    return [(i, j, *np.round(shift.numpy(), 6)) for i, j, shift in triples]


@pytest.mark.parametrize("noise", [0.0, 1e-9, 0.05])
def test_each_atom_keeps_its_nearest_neighbours(backbone, rng, noise):
    """Also among equally near ones: lower neighbour, then lower translation, first."""
    atoms = crowded(rng, noise)
    graph = backbone.graph([atoms])
    expected = [
        (i, j, *np.round(shift, 6))
        for i, edges in enumerate(neighbours(atoms, 6.0))
        for _, j, shift in edges
    ]
    assert edges_of(graph) == expected
    assert torch.bincount(graph.centre).tolist() == [MAX_NEIGHBOURS] * len(atoms)


def test_cap_changes_features_but_not_their_symmetry(backbone, rng, monkeypatch):
    atoms = crowded(rng)
    capped = run(backbone, [atoms])
    order = rng.permutation(len(atoms))
    shuffled = run(backbone, [atoms[order]])
    assert_same(shuffled.layers, {k: h[order] for k, h in capped.layers.items()}, tol.INVARIANCE)
    monkeypatch.setattr(backbone, "_most", None)
    uncapped = run(backbone, [atoms])
    assert (uncapped.layers[1] - capped.layers[1]).abs().max() > 1e-3


@pytest.mark.parametrize("at_once", [7, 100])
def test_edges_in_parts(backbone, surface, monkeypatch, at_once):
    whole = run(backbone, surface)
    monkeypatch.setattr(adapter, "EDGES_AT_ONCE", at_once)
    assert_same(run(backbone, surface).layers, whole.layers, tol.BATCH)


def test_no_force_acts_on_an_atom_alone(backbone):
    graph = backbone.graph([Atoms("H", positions=[[0, 0, 0]])])
    graph.positions.requires_grad_()
    (gradient,) = torch.autograd.grad(backbone.forward(graph).energy.sum(), graph.positions)
    assert gradient.tolist() == [[0.0, 0.0, 0.0]]


def test_gradients_in_float32(backbone, precise, surface):
    """The layers run by another library where no gradient passes through them."""
    gradients = []
    for network in (backbone, precise):
        graph = network.graph(surface)
        graph.positions.requires_grad_()
        output = network.forward(graph)
        assert_same(output.layers, run(network, surface).layers, tol.SCHNET_FLOAT32)
        gradients.append(torch.autograd.grad(output.energy.sum(), graph.positions)[0])
    single, double = gradients
    assert (single - double).abs().max() <= tol.SCHNET_TABLE * double.abs().max()


# --- tables


def tabulated(path):
    """A network whose table was asked for."""
    backbone = SchNet("mine", path)
    next(backbone._filters(torch.tensor([1.0])))
    return backbone


def test_table_is_as_near_to_the_filters_as_it_says(path, rng, caplog):
    caplog.set_level(logging.INFO)
    model = tabulated(path)._model.double()
    assert f"random.pt: filters on {model.table.intervals} intervals err by" in caplog.text
    distance = torch.as_tensor(rng.uniform(0.0, 6.0, size=3000))
    distance[:2] = torch.tensor([0.0, 6.0])
    exact = torch.stack(list(exact_filters(model, distance)))
    error = (torch.stack(list(model.table(distance))) - exact).abs().amax(dim=1)
    # The table was rounded to float32 before the model was made float64.
    bound = 1.2 * model.table.error + torch.finfo(torch.float32).eps
    assert model.table.error <= TABLE_TOLERANCE
    assert (error / exact.abs().amax(dim=1)).max() <= bound


def test_tables_have_their_own_derivative():
    table = HermiteTable(
        lambda d: [torch.sin(3 * d)[:, None], torch.exp(-d)[:, None]], 6.0, 1e-9, "two curves"
    )
    distance = torch.linspace(0.01, 5.99, 50, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d: tuple(table(d)), (distance,))
    sine, decay = table(distance)
    torch.testing.assert_close(sine[:, 0], torch.sin(3 * distance), rtol=0, atol=2e-9)
    torch.testing.assert_close(decay[:, 0], torch.exp(-distance), rtol=0, atol=2e-9)


def test_more_is_asked_than_a_table_can_give(path, monkeypatch):
    monkeypatch.setattr(adapter, "TABLE_TOLERANCE", 1e-30)
    with pytest.raises(BackboneError, match=r"random\.pt: .* 32768 intervals still .*exact: true"):
        tabulated(path)


def test_a_table_that_was_made_for_features_serves_forces_too(path, surface):
    backbone = SchNet("mine", path)
    with torch.inference_mode():
        run(backbone, surface)
    graph = backbone.graph(surface).differentiable()
    energy = backbone.forward(graph).energy.sum()
    assert torch.autograd.grad(energy, graph.positions)[0].abs().max() > 0


# --- files that do not serve


class Runs:
    """Pickles to a call of ``function``."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("way", ["os", "eval"])
def test_a_checkpoint_that_would_run_code_is_refused(tmp_path, way):
    trace = tmp_path / "trace"
    bomb, named = {
        "os": (Runs(os.mkdir, str(trace)), r"posix\.mkdir|nt\.mkdir"),
        "eval": (Runs(eval, f"__import__('os').mkdir({str(trace)!r})"), "eval"),
    }[way]
    schnet_checkpoint(tmp_path / "bomb.pt", optimizer=bomb)
    allowed = torch.serialization.get_safe_globals()
    with pytest.raises(BackboneError, match=f"bomb.pt: refused, since .* run ({named})") as caught:
        SchNet("bomb", tmp_path / "bomb.pt")
    assert "\n" not in str(caught.value)
    assert not trace.exists()
    assert set(torch.serialization.get_safe_globals()) == set(allowed)
    torch.load(tmp_path / "bomb.pt", weights_only=False)
    assert trace.exists(), "the file was harmless: nothing was tested"


def test_types_that_other_packages_allow_are_refused(tmp_path):
    """torch_geometric lets torch.load build its own classes once it is imported."""
    schnet_checkpoint(tmp_path / "odd.pt", extra=CatMetadata([1], [2], [False]))
    torch.load(tmp_path / "odd.pt", weights_only=True)
    with pytest.raises(BackboneError, match=r"odd\.pt: refused, .*torch_geometric\.index"):
        SchNet("odd", tmp_path / "odd.pt")


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_named(tmp_path, legacy, share):
    content = schnet_checkpoint(tmp_path / "cut.pt")
    torch.save(content, tmp_path / "cut.pt", _use_new_zipfile_serialization=not legacy)
    whole = (tmp_path / "cut.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BackboneError, match=r"cut\.pt: .*download it anew") as caught:
        SchNet("cut", tmp_path / "cut.pt")
    assert "\n" not in str(caught.value)


def test_other_files_are_named(tmp_path):
    with pytest.raises(BackboneError, match=r"none\.pt: no such file; download"):
        SchNet("none", tmp_path / "none.pt")
    (tmp_path / "page.pt").write_text("<html>404 not found</html>\n")
    with pytest.raises(BackboneError, match=r"page\.pt: not a checkpoint of tensors"):
        SchNet("page", tmp_path / "page.pt")
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps([1, 2], protocol=2))
    with pytest.raises(BackboneError, match=r"pickle\.pt: .*download"):
        SchNet("pickle", tmp_path / "pickle.pt")


@pytest.mark.parametrize("missing", ["state_dict", "config", "model_attributes"])
def test_another_layout_is_named(tmp_path, missing):
    content = schnet_checkpoint(tmp_path / "other.pt")
    content["config"].pop(missing, None)
    content.pop(missing, None)
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(BackboneError, match=rf"other\.pt: no entry .*{missing}"):
        SchNet("other", tmp_path / "other.pt")


def test_another_architecture_is_named(tmp_path):
    content = schnet_checkpoint(tmp_path / "other.pt")
    state = content["state_dict"]
    for key in [key for key in state if "mlp" in key]:
        state[key.replace("mlp", "filter")] = state.pop(key)
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(
        BackboneError,
        match=r"other\.pt: state_dict lacks interactions\.0\.mlp\.0\.bias, .* and 9 more "
        r"and has unexpected interactions\.0\.filter\.0\.bias, .* and 9 more",
    ):
        SchNet("other", tmp_path / "other.pt")


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"num_filters": 17},
            r"has interactions\.0\.mlp\.0\.weight of shape \(16, 60\), .* make \(17, 60\); use",
        ),
        ({"num_interactions": 2}, r"has unexpected interactions\.2\.conv"),
        ({"num_interactions": 4}, r"lacks interactions\.3\.conv"),
        ({"cutoff": 5.0}, r"offset ends at 6 Å, but .* make it 5 Å; correct cutoff"),
        ({"readout": "mean"}, r"readout = 'mean'; this adapter computes 'add' only"),
        ({"use_pbc": False}, r"use_pbc = False; this adapter computes True only"),
        ({"num_blocks": 4, "envelope": 5}, r"has envelope, num_blocks, unknown to SchNet"),
    ],
)
def test_settings_that_do_not_serve_are_named(tmp_path, attributes, message):
    schnet_checkpoint(tmp_path / "odd.pt", attributes=attributes)
    with pytest.raises(BackboneError, match=rf"odd\.pt: .*{message}") as caught:
        SchNet("odd", tmp_path / "odd.pt")
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_named(tmp_path):
    content = schnet_checkpoint(tmp_path / "nan.pt")
    content["state_dict"]["module.module.lin1.bias"][0] = float("nan")
    torch.save(content, tmp_path / "nan.pt")
    with pytest.raises(BackboneError, match=r"nan\.pt: lin1\.bias is not finite"):
        SchNet("nan", tmp_path / "nan.pt")


@pytest.mark.parametrize(
    ("normalizers", "message"),
    [
        ({"energy": {"mean": 0.0, "std": 1.0}}, r"no entry normalizers\.target"),
        ({"target": {"mean": 0.0}}, "lacks the numbers mean and std"),
        ({"target": {"mean": 0.0, "std": torch.ones(3)}}, "lacks the numbers mean and std"),
    ],
)
def test_normalizers_that_do_not_serve_are_named(tmp_path, normalizers, message):
    schnet_checkpoint(tmp_path / "odd.pt", normalizers=normalizers)
    with pytest.raises(BackboneError, match=rf"odd\.pt: .*{message}"):
        SchNet("odd", tmp_path / "odd.pt")
