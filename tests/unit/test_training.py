"""Trained networks: heads against the packages' own forward passes, and the training loop."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from checkpoints import schnet_checkpoint
from samples import Named, labelled
from small_network import SETTINGS, SMALL, scratch
from tolerances import BATCH, GRADIENT, OWN_ENERGY

from mekrr.backbones.chgnet.finetune import FineTunedCHGNet
from mekrr.backbones.graph import build_graph
from mekrr.backbones.load import load_backbone
from mekrr.backbones.radial import Interpolation, Radial
from mekrr.backbones.schnet.convolution import (
    FixedInLoops,
    FixedInMemory,
    InLoops,
    InMemory,
)
from mekrr.backbones.schnet.finetune import FineTunedSchNet, SchNetFromScratch
from mekrr.backbones.sevennet.finetune import FineTunedSevenNet
from mekrr.backbones.sparse import sparse_product, sparse_state
from mekrr.data.frames import load_frames, write_frames
from mekrr.errors import ConfigError, DataError, InputError, TrainingError
from mekrr.metrics import rmse
from mekrr.models.constant import Constant
from mekrr.models.network import loop
from mekrr.models.network.checkpoint import read_checkpoint, write_checkpoint
from mekrr.models.network.fit import NetworkModel, beyond_start
from mekrr.models.network.loop import Scale, outputs, train
from mekrr.models.network.sample import Sample
from mekrr.models.network.states import States, collate, write_states
from mekrr.models.potentials.baseline import Baseline
from mekrr.models.potentials.network import NetworkPotential
from mekrr.models.problem import Problem
from mekrr.study.experiments.kinds.network import Models as Networks
from mekrr.study.experiments.learning import learning_curve
from mekrr.study.experiments.transfer import Transfer

CPU = torch.device("cpu")
ALONG = 1e-3  # relative, gradients by derivatives of features along a direction
SLOPES = 3e-3  # of interpolated filters
INTERPOLATED = 1e-4  # relative, energies and their gradients by filters between knots


@pytest.fixture
def data(tmp_path):
    """Twelve frames of 4 atoms, energies and forces by effective-medium theory; their states."""
    frames = labelled(12)
    for atoms in frames:
        calculator = EMT()
        energy, forces = (calculator.get_property(p, atoms) for p in ("energy", "forces"))
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    table = pd.DataFrame(
        {
            "index": range(12),
            "frame": range(12),
            "run": 0,
            "n_atoms": 4,
            "formula": "Cu4",
            "energy": [atoms.get_potential_energy() for atoms in frames],
        }
    )
    split = np.repeat(["train", "val", "test"], [4, 4, 4])
    write_states(tmp_path / "states", scratch(), frames, CPU, {"frames": "abc"})
    return Problem.of(table, split, "mean", "toy"), States(tmp_path / "states"), frames


def fitted(data, path, settings=SETTINGS, network=None, forces=False):
    problem, states, frames = data
    frames = frames if forces else None
    network = network or scratch()
    sample = Sample.of(states, problem, "train", frames)
    validation = Sample.of(states, problem, "val", frames)
    result = train(
        network, sample, validation, settings, seed=0, device=CPU, checkpoint=path / "checkpoint"
    )
    return network, result


# --- sparse products


def test_sparse_product_is_the_dense_one(rng):
    row, column = torch.tensor([0, 2, 2, 0, 2]), torch.tensor([1, 0, 3, 1, 2])
    weight = torch.from_numpy(rng.normal(size=5))
    dense = torch.zeros(4, 5).index_put((row, column), weight.float(), accumulate=True)
    state = sparse_state("p", row, column, weight, (4, 5))
    x = torch.from_numpy(rng.normal(size=(5, 3))).float().requires_grad_()
    upstream = torch.from_numpy(rng.normal(size=(4, 3))).float()
    product = sparse_product(state, "p", x)
    torch.testing.assert_close(product, dense @ x)
    (grad,) = torch.autograd.grad(product, x, upstream)
    torch.testing.assert_close(grad, dense.T @ upstream)


def test_sparse_product_is_differentiated_twice(rng):
    row, column = torch.tensor([0, 2, 2, 0, 2]), torch.tensor([1, 0, 3, 1, 2])
    weight = torch.from_numpy(rng.normal(size=5))
    state = sparse_state("p", row, column, weight, (4, 5))
    dense = torch.zeros(4, 5).index_put((row, column), weight.float(), accumulate=True)
    x = torch.from_numpy(rng.normal(size=(5, 3))).float().requires_grad_()
    found = []
    for product in (sparse_product(state, "p", x), dense @ x):
        (slope,) = torch.autograd.grad(product.pow(3).sum(), x, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), x))
    torch.testing.assert_close(*found)


def test_interpolation_is_exact_for_parabolas():
    radial = Radial(cutoff=5.0, spacing=0.3)
    distance = torch.tensor([0.5, 0.51, 2.0, 4.99, 5.0], dtype=torch.float64)
    knot, weight, _ = radial.weights(distance)
    place = {"knot": knot, "weight": weight}
    parabola = torch.stack([radial.knots**2, radial.knots], dim=1)
    expected = torch.stack([distance**2, distance], dim=1).float()
    for interpolate in (radial.fixed(place), radial.fixed_in_matrix(place)):
        torch.testing.assert_close(interpolate(parabola), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_interpolation_by_loops_and_by_a_matrix(rng, surface, dtype):
    """At the edges of frames, two of which share a knot; and its gradients."""
    radial = Radial(cutoff=4.0, spacing=0.1)
    state = radial.edge_state(build_graph(surface, cutoff=4.0))
    knot, weight = state["knot"], state["weight"].to(dtype)
    assert len(set(knot.tolist())) < len(knot)
    values = torch.from_numpy(rng.normal(size=(len(radial.knots), 5))).to(dtype).requires_grad_()
    upstream = torch.from_numpy(rng.normal(size=(len(knot), 5))).to(dtype)
    dense = (weight[:, :, None] * values[knot[:, None] + torch.arange(4)]).sum(dim=1)
    found = [radial.fixed(state)(values), dense]
    if dtype == torch.float32:  # the matrix has no other
        found.append(radial.fixed_in_matrix(state)(values))
    grads = [torch.autograd.grad((rows * upstream).sum(), values)[0] for rows in found]
    for rows, grad in zip(found, grads, strict=True):
        torch.testing.assert_close(rows, found[1])
        torch.testing.assert_close(grad, grads[1], rtol=1e-5, atol=1e-5)


def test_slopes_of_interpolated_functions(rng):
    """Along the distance, and what these owe to the values at the knots: by differences."""
    radial = Radial(cutoff=5.0, spacing=0.3)
    distance = torch.tensor([0.52, 1.3, 2.1, 4.9], dtype=torch.float64, requires_grad=True)
    values = torch.from_numpy(rng.normal(size=(len(radial.knots), 2))).float().requires_grad_()
    upstream = torch.from_numpy(rng.normal(size=(4, 2))).float()

    def slopes(values):
        found = Interpolation(radial, distance)(values)
        return torch.autograd.grad((found * upstream).sum(), distance, create_graph=True)[0]

    step = 1e-3
    apart = [Interpolation(radial, distance.detach() + k * step)(values) for k in (1, -1)]
    expected = ((apart[0] - apart[1]) * upstream).sum(dim=1) / (2 * step)
    torch.testing.assert_close(slopes(values).float(), expected, rtol=1e-3, atol=1e-3)
    (grad,) = torch.autograd.grad(slopes(values).square().sum(), values)
    away = torch.from_numpy(rng.normal(size=values.shape)).float()
    changed = [slopes(values + k * 0.01 * away).square().sum() for k in (1, -1)]
    along = float(changed[0] - changed[1]) / 0.02
    assert float((grad * away).sum()) == pytest.approx(along, rel=1e-3)


def test_loops_are_the_sums_of_filters_in_memory(rng, surface):
    """And so are their slopes, and what these and the sums owe to weights; one-sided edges too."""
    radial, sums, found = Radial(cutoff=4.0, spacing=0.1), [], []
    whole = build_graph(surface, cutoff=4.0)
    one_sided = dataclasses.replace(
        whole, centre=whole.centre[:-9], neighbour=whole.neighbour[:-9], shift=whole.shift[:-9]
    )
    n_atoms, n_knots = len(whole.species), len(radial.knots)
    x, values, upstream = (
        torch.from_numpy(rng.normal(size=(n, 6))).float() for n in (n_atoms, n_knots, n_atoms)
    )
    for graph in (whole, one_sided):
        for kind in (InMemory, InLoops):
            graph.positions = graph.positions.detach().requires_grad_()
            parts = [part.clone().requires_grad_() for part in (x, values)]
            twice = kind(radial, graph)(parts[1], torch.tanh(parts[0]))
            total = kind(radial, graph)(parts[1], torch.tanh(twice))
            energy = (total * upstream).sum()
            (slope,) = torch.autograd.grad(energy, graph.positions, create_graph=True)
            loss = energy.square() + slope.pow(3).sum().float()
            sums.append(total)
            found.append((slope, *torch.autograd.grad(loss, parts)))
    for k in (0, 2):
        torch.testing.assert_close(sums[k + 1], sums[k], rtol=1e-5, atol=1e-4)
        for looped, expected in zip(found[k + 1], found[k], strict=True):
            assert (looped - expected).norm() < 1e-5 * expected.norm()


def test_sums_at_fixed_positions(rng, surface):
    """And gradients: by loops and with filters in memory, against float64.

    In a batch, of a cell smaller than the cutoff and an atom without neighbours too.
    """
    radial, frames = Radial(cutoff=4.0, spacing=0.1), [*surface, bulk("Cu"), Atoms("Cu")]
    graphs = [build_graph([atoms], cutoff=4.0) for atoms in frames]
    states = [radial.edge_state(graph) | {"frame": graph.frame.int()} for graph in graphs]
    indices = {"centre": "frame", "neighbour": "frame"}
    state = collate([{k: t.numpy() for k, t in s.items()} for s in states], indices)
    n_atoms, n_knots = len(state["frame"]), len(radial.knots)
    values, x, upstream = (
        torch.from_numpy(rng.normal(size=(n, 6))).float() for n in (n_knots, n_atoms, n_atoms)
    )

    def in_double(values, x):
        knot, weight = state["knot"], state["weight"].double()
        filters = (weight[:, :, None] * values[knot[:, None] + torch.arange(4)]).sum(dim=1)
        messages = x[state["neighbour"]] * filters
        return torch.zeros_like(x).index_add(0, state["centre"], messages)

    def with_gradients(sum_up, dtype=torch.float32):
        inputs = [part.to(dtype).requires_grad_() for part in (values.clone(), x.clone())]
        sums = sum_up(*inputs)
        return sums, *torch.autograd.grad((sums * upstream).sum(), inputs)

    expected = with_gradients(in_double, torch.float64)
    for sum_up in (FixedInLoops(state), FixedInMemory(radial, state)):
        for found, right in zip(with_gradients(sum_up), expected, strict=True):
            assert (found - right).norm() < 1e-6 * right.norm()


def test_loops_keep_what_is_not_finite(surface):
    radial, graph = Radial(cutoff=4.0, spacing=0.1), build_graph(surface, cutoff=4.0)
    x = torch.ones(len(graph.species), 5)
    x[3, 2] = torch.nan
    values = torch.ones(len(radial.knots), 5)
    found, expected = (kind(radial, graph)(values, x).isnan() for kind in (InLoops, InMemory))
    assert expected.any()
    assert torch.equal(found, expected)


# --- heads


@pytest.fixture(scope="module")
def oc20(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "oc20.pt"
    schnet_checkpoint(path)
    return path


@pytest.fixture(
    scope="module",
    params=["schnet", "schnet-ft", "sevennet-4", "sevennet-3", "chgnet-3", "chgnet-2"],
)
def network(request, oc20):
    family, _, frozen = request.param.partition("-")
    if family == "sevennet":
        return FineTunedSevenNet("n", "b", int(frozen))
    if family == "chgnet":
        return FineTunedCHGNet("n", "b", int(frozen))
    return FineTunedSchNet("n", "b", 2, oc20) if frozen else scratch()


def cached(network, frames):
    with torch.no_grad():
        states = [network.trunk(network.graph([atoms])) for atoms in frames]
    return collate([{k: t.numpy() for k, t in s.items()} for s in states], network.indices)


def test_cached_trunk_and_head_are_the_whole_network(network, surface, oc20):
    """Energies, and what training sees of them: gradients of each frame's energy."""
    weights = [p for p in network.module().parameters() if p.requires_grad]
    fast, whole = network.head(cached(network, surface)), network.energy(network.graph(surface))
    torch.testing.assert_close(fast, whole, rtol=INTERPOLATED, atol=INTERPOLATED)
    for ours, theirs in zip(fast, whole, strict=True):
        grads, expected = (
            torch.autograd.grad(e, weights, retain_graph=True) for e in (ours, theirs)
        )
        for grad, right in zip(grads, expected, strict=True):
            scale = float(right.abs().max())
            torch.testing.assert_close(grad, right, rtol=0, atol=10 * INTERPOLATED * scale + 1e-6)


@pytest.mark.parametrize("frozen", [2, 4])
def test_a_gpu_learns_what_loops_learn(frozen, surface, monkeypatch):
    """SevenNet's sums with messages in memory, here on a CPU."""
    network = FineTunedSevenNet("n", "b", frozen)
    state = cached(network, surface)
    weights = [p for p in network.module().parameters() if p.requires_grad]
    found = []
    for _ in range(2):
        energy = network.head(state)
        found.append((energy, *torch.autograd.grad(energy.square().sum(), weights)))
        monkeypatch.setattr("mekrr.backbones.sevennet.convolution.in_loops", lambda x: False)
        monkeypatch.setattr(Radial, "fixed", Radial.fixed_in_matrix)
    for looped, stored in zip(*found, strict=True):
        assert (looped - stored).norm() <= 1e-5 * looped.norm()


@pytest.mark.parametrize(
    ("family", "make"),
    [
        ("sevennet", lambda: FineTunedSevenNet("n", "b", 4)),
        ("chgnet", lambda: FineTunedCHGNet("n", "b", 2)),
    ],
)
def test_untrained_networks_are_their_backbones(family, make, surface):
    backbone, network = load_backbone("b", family), make()
    with torch.no_grad():
        expected = backbone.forward(backbone.graph(surface)).energy
        found = network.head(cached(network, surface))
    n_atoms = torch.tensor([len(atoms) for atoms in surface])
    assert float(((found - expected) / n_atoms).abs().max()) < OWN_ENERGY


def test_untrained_schnet_is_its_backbone(surface, oc20):
    backbone = load_backbone("b", "schnet", weights=oc20)
    network = FineTunedSchNet("n", "b", 2, oc20)
    with torch.no_grad():
        expected = backbone.forward(backbone.graph(surface)).energy
        found = network.head(cached(network, surface))
    torch.testing.assert_close(found, expected, rtol=INTERPOLATED, atol=INTERPOLATED)


def test_only_the_head_is_trained(network, surface):
    """Frozen weights are no part of the module, and its weights all matter."""
    weights = [p for p in network.module().parameters() if p.requires_grad]
    energy = network.head(cached(network, surface[:1]))
    grads = torch.autograd.grad(energy.sum(), weights)
    assert sum(bool(g.abs().max() > 0) for g in grads) >= len(grads) - 2


def test_energy_does_not_depend_on_the_order_of_atoms(network, surface, rng):
    atoms = surface[1]
    shuffled = atoms[rng.permutation(len(atoms))]
    with torch.no_grad():
        one, other = (network.head(cached(network, [a])) for a in (atoms, shuffled))
    torch.testing.assert_close(one, other, rtol=INTERPOLATED, atol=INTERPOLATED)


def test_a_batch_is_its_frames(network, surface):
    with torch.no_grad():
        batch = network.head(cached(network, surface))
        single = torch.cat([network.head(cached(network, [atoms])) for atoms in surface])
    torch.testing.assert_close(batch, single, rtol=1e-6, atol=1e-4)


def test_images_of_an_atom_are_neighbours_each():
    network, frames = scratch(), [bulk("Cu"), Atoms("Cu"), *labelled(1)]
    with torch.no_grad():
        found, exact = network.head(cached(network, frames)), network.energy(network.graph(frames))
    torch.testing.assert_close(found, exact, rtol=INTERPOLATED, atol=INTERPOLATED)


def test_what_of_knots_stays_is_made_for_each_head(oc20):
    """It moves with the network, but is not saved with weights; nor is it next to 0."""
    network = FineTunedSchNet("n", "b", 2, oc20)
    buffers = dict(network.module().named_buffers())
    assert set(buffers) - set(network.module().state_dict()) == {
        f"{knots}.{name}"
        for knots in ("_knots", "_knots_for_forces")
        for name in ("smeared", "envelope")
    }
    smeared = buffers["_knots.smeared"]
    assert smeared[smeared > 0].min() > 1e-20
    network.to("meta")
    assert all(buffer.is_meta for buffer in network.module().buffers())


def test_a_lone_atom_has_an_energy():
    with torch.no_grad():
        energy = scratch().head(cached(scratch(), [Atoms("Cu"), *labelled(1)]))
    assert torch.isfinite(energy).all()


def test_nothing_left_to_train(oc20):
    with pytest.raises(ConfigError, match=r"network 'n': frozen=3 of 3 layers leaves none"):
        FineTunedSchNet("n", "b", 3, oc20)


def test_states_on_disk_are_those_in_memory(data):
    _, states, frames = data
    network = scratch()
    batch, fresh = (
        states.batch([7, 2], network.indices, CPU),
        cached(network, [frames[7], frames[2]]),
    )
    assert batch.keys() == fresh.keys()
    for name, tensor in fresh.items():
        torch.testing.assert_close(batch[name], tensor, rtol=0, atol=0)


# --- training


def test_four_frames_are_learnt_by_heart(data, tmp_path):
    settings = dataclasses.replace(SETTINGS, epochs=400, patience=400, lr=5e-3)
    _, result = fitted(data, tmp_path, settings)
    errors = result.history["train_rmse"]
    assert errors.iloc[-1] < 0.01 * errors.iloc[0]


def fit_toy(data, path, seed=0):
    problem, states, _ = data
    model = NetworkModel(scratch(), SETTINGS, seed=seed, checkpoint=path / "checkpoint")
    return model.fit(problem, states)


def energies(model, data):
    problem, states, _ = data
    residual, std = model.predict(problem, states)
    assert std is None
    return problem.baseline + residual


def test_predictions_are_those_of_the_best_epoch(data, tmp_path):
    problem, *_ = data
    model = fit_toy(data, tmp_path)
    errors = energies(model, data) - problem.energy
    found = 250 * rmse(errors[problem.members("val")])
    assert found == pytest.approx(model.training_.history["val_rmse"].min(), rel=1e-6)
    # Energies of float32 round otherwise in batches of other frames.
    assert abs(errors[problem.members("train")].mean()) < 1e-7


def test_validation_frames_may_be_others(data, tmp_path):
    """They choose the epoch, in place of the problem's own."""
    problem, states, _ = data
    settings = dataclasses.replace(SETTINGS, epochs=20, lr=5e-3)
    other = Sample.of(states, problem, "test")
    model = NetworkModel(scratch(), settings, 0, tmp_path / "checkpoint", validation=other)
    errors = energies(model.fit(problem, states), data) - problem.energy
    found = 250 * rmse(errors[problem.members("test")])
    assert found == pytest.approx(model.training_.history["val_rmse"].min(), rel=1e-6)


class Killed(Exception):
    pass


def test_a_killed_training_goes_on_to_the_same_bits(data, tmp_path, monkeypatch):
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    _, whole = fitted(data, tmp_path / "whole")
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    validate = loop._Run._validate

    def dies(run):
        if run.epoch == 4:
            raise Killed
        validate(run)

    monkeypatch.setattr(loop._Run, "_validate", dies)
    with pytest.raises(Killed):
        fitted(data, tmp_path / "killed")
    monkeypatch.setattr(loop._Run, "_validate", validate)
    steps, step = [], loop._Run._step
    monkeypatch.setattr(loop._Run, "_step", lambda *a: (steps.append(1), step(*a))[1])
    network, resumed = fitted(data, tmp_path / "killed")
    assert len(steps) == 2 * 2  # the last two epochs only
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)
    assert resumed.scale == whole.scale
    untouched, _ = fitted(data, tmp_path / "whole" / "again")
    for one, other in zip(
        network.module().parameters(), untouched.module().parameters(), strict=True
    ):
        assert torch.equal(one, other)


def test_a_training_that_ended_is_taken_up_as_it_ended(data, tmp_path, monkeypatch):
    """Killed in a later one of several, a job does not train the first ones again."""
    _, ended = fitted(data, tmp_path)
    monkeypatch.setattr(loop._Run, "advance", None)
    _, again = fitted(data, tmp_path)
    pd.testing.assert_frame_equal(again.history, ended.history, check_exact=True)
    assert again.scale == ended.scale


def test_a_training_that_is_cut_short_goes_on(data, tmp_path):
    """It ends once it was validated; with more time it comes to what it would have been."""
    problem, states, _ = data
    (tmp_path / "whole").mkdir()
    _, whole = fitted(data, tmp_path / "whole")
    short = NetworkModel(scratch(), SETTINGS, 0, tmp_path / "checkpoint", most_seconds=0.0)
    first = short.fit(problem, states).training_
    assert not first.complete
    assert first.epochs == len(first.history) == 1 < whole.epochs
    _, resumed = fitted(data, tmp_path)
    assert resumed.complete
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)


def test_divergence_names_the_epoch_and_keeps_the_last_good_state(data, tmp_path, monkeypatch):
    head = SchNetFromScratch.head
    calls = []

    def spoiled(self, state):
        calls.append(1)
        return head(self, state) * (float("nan") if len(calls) > 20 else 1.0)

    monkeypatch.setattr(SchNetFromScratch, "head", spoiled)
    with pytest.raises(TrainingError, match=r"is nan in epoch \d+; lower the learning") as error:
        fitted(data, tmp_path)
    epoch = int(re.search(r"epoch (\d+)", str(error.value))[1])
    assert epoch > 0
    monkeypatch.setattr(SchNetFromScratch, "head", head)
    _, resumed = fitted(data, tmp_path)
    (tmp_path / "whole").mkdir()
    _, whole = fitted(data, tmp_path / "whole")
    pd.testing.assert_frame_equal(resumed.history, whole.history, check_exact=True)


def test_checkpoint_of_another_data_set_is_refused(data, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    fitted(data, tmp_path)
    problem, states, frames = data
    other = dataclasses.replace(problem, split=problem.split[::-1].copy())
    with pytest.raises(DataError, match="checkpoint of another data set or split; delete it"):
        fitted((other, states, frames), tmp_path)


def test_checkpoint_of_other_settings_is_passed_over(data, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    fitted(data, tmp_path)
    _, result = fitted(data, tmp_path, dataclasses.replace(SETTINGS, lr=5e-4))
    assert "checkpoint of other settings" in caplog.text
    assert len(result.history) == SETTINGS.epochs


def test_damaged_checkpoint(data, tmp_path):
    (tmp_path / "checkpoint").write_bytes(b"no checkpoint")
    with pytest.raises(DataError, match="damaged checkpoint"):
        fitted(data, tmp_path)


def test_flipped_bit_of_a_checkpoint(tmp_path, rng):
    """torch.load takes it: a training would go on with other weights."""
    path, identity = tmp_path / "checkpoint", {"data": "a", "network": "b"}
    weights = torch.arange(1000.0)
    write_checkpoint(path, identity, {"weights": weights})
    whole, n_refused = path.read_bytes(), 0
    for bit in rng.integers(8 * len(whole), size=40):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        try:
            state = read_checkpoint(path, identity)
        except DataError:
            n_refused += 1
        else:  # a bit between the parts, which means nothing
            assert torch.equal(state["weights"], weights)
    assert n_refused > 30


def test_training_ends_when_validation_no_longer_gains(data, tmp_path):
    settings = dataclasses.replace(SETTINGS, epochs=300, lr=2e-2, patience=3)
    _, result = fitted(data, tmp_path, settings)
    assert len(result.history) < 300
    assert result.best == len(result.history) - 1 - 3


def test_seldom_validation_is_the_same_training(data, tmp_path):
    settings = dataclasses.replace(SETTINGS, epochs=7)
    _, every = fitted(data, tmp_path, settings)
    _, seldom = fitted(data, tmp_path, dataclasses.replace(settings, validate_every=3))
    assert seldom.epochs == every.epochs == 7
    assert seldom.history["epoch"].tolist() == [2, 5, 6]
    chosen = every.history.set_index("epoch").loc[[2, 5, 6]].reset_index()
    pd.testing.assert_frame_equal(seldom.history, chosen, check_exact=True)


def test_few_frames_take_more_epochs():
    settings = dataclasses.replace(SETTINGS, epochs=10, least_steps=100, batch_size=8)
    assert settings.total_epochs(800) == 10
    assert settings.total_epochs(10) == 50


def test_learning_rate():
    settings = dataclasses.replace(SETTINGS, lr=2.0)
    assert settings.rate(0.025) == pytest.approx(1.0, rel=0.01)
    assert settings.rate(1.0) == pytest.approx(0.0)
    assert dataclasses.replace(settings, schedule="constant").rate(1.0) == 2.0


def test_trained_weights_come_back(data, tmp_path):
    model = fit_toy(data, tmp_path)
    model.save(tmp_path / "model")
    again = NetworkModel.load(tmp_path / "model", scratch(seed=5))
    assert again.scale_ == model.scale_
    np.testing.assert_array_equal(energies(again, data), energies(model, data))
    other = SchNetFromScratch("other", 0, **SMALL | {"num_filters": 4})
    with pytest.raises(DataError, match="not of network 'other'"):
        NetworkModel.load(tmp_path / "model", other)
    problem, states, _ = data
    with pytest.raises(InputError, match="'small' was loaded to predict; to train one, give"):
        again.fit(problem, states)


# --- in the study


def step_of(path, states, models=(), **wildcards):
    """A step of the small network on files under ``path``, as its script is told of it."""
    return Named(
        input=Named(states=states, frames=[], weights=[], models=models),
        params=Named(
            checkpoint=str(path / "checkpoint"),
            method="SchNet",
            model={"entry": {"architecture": SMALL}},
            n_train=[],
            reference_energy="mean",
            training=dataclasses.asdict(SETTINGS),
        ),
        wildcards=Named(dataset="toy", network="small", seed="0", **wildcards),
    )


def test_tables_of_a_fit(data, tmp_path):
    problem, *_ = data
    kind = Networks.open(step_of(tmp_path, tmp_path / "states"))
    fit = kind.fit(problem)
    expected = energies(fit_toy(data, tmp_path), data)
    np.testing.assert_array_equal(fit.predictions["energy_pred"], expected)
    errors = 250 * (expected - problem.energy)[problem.members("val")]
    choice = fit.choices.iloc[0]
    assert choice["validation_rmse"] == pytest.approx(rmse(errors), rel=1e-6)
    assert fit.history["epoch"].tolist() == list(range(SETTINGS.epochs))
    weights = sum(w.numel() for w in scratch().module().parameters())
    assert fit.costs["trained_weights"].item() == weights
    assert (tmp_path / "checkpoint-4.pt").exists()
    kind.close()
    assert not (tmp_path / "checkpoint-4.pt").exists()


def test_learning_curve(data, tmp_path):
    """Of a network as of any model: a point is the fit to that subset, and has its checkpoint."""
    problem, *_ = data
    kind = Networks.open(step_of(tmp_path, tmp_path / "states"))
    table = learning_curve(kind.fit, problem, [4, 3, 2, 9], 0, "mean", "toy")
    assert table["n_train"].tolist() == [2, 3]
    assert table["n_val"].tolist() == [4, 4]
    assert {path.name for path in tmp_path.glob("*.pt")} == {"checkpoint-2.pt", "checkpoint-3.pt"}
    residual, _ = kind.model.predict(problem, data[1])  # of the last point, 3 frames
    order = np.random.default_rng(0).permutation(problem.members("train"))
    mean = problem.energy[order[:3]].mean()
    errors = (mean + residual - problem.energy)[problem.members("test")]
    assert table["rmse"].iloc[1] == pytest.approx(250 * rmse(errors), rel=1e-5)
    assert learning_curve(kind.fit, problem, [4], 0, "mean", "toy").empty


def test_transfer_to_the_same_frames_is_no_transfer(data, tmp_path):
    """Predicted by way of model files and reference energies of the source, seed by seed."""
    problem, *_ = data
    files, expected = [], []
    for seed in (0, 1):
        model = fit_toy(data, tmp_path / str(seed), seed)
        files.append(tmp_path / f"model-{seed}")
        model.save(files[-1])
        expected.append(energies(model, data))
    step = step_of(tmp_path, [tmp_path / "states"] * 2, files)
    tables = list(Networks.transfer(step, [Transfer(problem, problem, "mean", ("a", "b"))] * 2))
    test = problem.members("test")
    for table, energy in zip(tables, expected, strict=True):
        assert table["index"].tolist() == test.tolist()
        np.testing.assert_allclose(table["energy_pred"], energy[test], atol=1e-9)
    assert not np.allclose(*expected)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_training_for_the_same_frames_is_the_training(data, tmp_path, weight):
    """The destination's validation frames are the origin's own: the epoch is the same."""
    problem, states, frames = data
    step = step_of(tmp_path, [tmp_path / "states"] * 2)
    settings = dataclasses.replace(SETTINGS, force_weight=weight)
    step.params["training"] = dataclasses.asdict(settings)
    if weight:
        write_frames(tmp_path / "frames.extxyz", frames)
        step.input["frames"] = [tmp_path / "frames.extxyz"] * 2
        frames = load_frames(tmp_path / "frames.extxyz")  # positions as the file has them
    plain = Problem(problem.frames, problem.split, np.zeros(12))
    kind = Networks.train_for(step, Transfer(plain, plain, "mean", ("a", "b")))
    model = NetworkModel(
        scratch(), settings, 0, tmp_path / "checkpoint", frames if weight else None
    )
    model.fit(problem, states)
    assert ("val_loss" in kind.model.training_.history) == bool(weight)
    pd.testing.assert_frame_equal(kind.model.training_.history, model.training_.history)
    np.testing.assert_array_equal(energies(kind.model, data), energies(model, data))


def test_fine_tuning_starts_with_the_untouched_network(surface, tmp_path, rng):
    """Its first predictions are those of the baseline, whatever zero its energies have."""
    frames = [atoms for atoms in surface for _ in range(2)]
    for atoms in frames:
        atoms.positions += 0.05 * rng.normal(size=atoms.positions.shape)
    network = FineTunedCHGNet("n", "b", 3)
    write_states(tmp_path / "states", network, frames, CPU, {})
    states = States(tmp_path / "states")
    table = pd.DataFrame(
        {
            "index": range(6),
            "frame": range(6),
            "run": 0,
            "n_atoms": [len(atoms) for atoms in frames],
            "formula": [atoms.get_chemical_formula() for atoms in frames],
            "energy": states.start_energy + 7.0 + rng.normal(size=6),
        }
    )
    split = np.array(["train", "val"] * 3)
    problem = Problem(table, split, np.zeros(6))
    started = beyond_start(problem, network, states.start_energy, "mean", "toy")
    known = problem.beyond_network(states.start_energy)
    expected = known.baseline + Constant().fit(known).predict(known)[0]
    np.testing.assert_allclose(started.baseline, expected, atol=1e-9)
    sample = Sample.of(states, started, "val")
    np.testing.assert_allclose(outputs(network, sample, Scale(0.0, 1.0), CPU), 0.0, atol=1e-4)


# --- forces


def misfit(run, sample, members):
    """Mean square error of forces that the loss has of some frames."""
    _, errors = run._with_forces(sample, np.array(members), training=True)
    return float(errors.square().sum() / max(errors.numel(), 1))


def test_forces_in_the_loss_are_slopes_of_the_energy(data, tmp_path):
    """Central differences of the energy that the head itself predicts."""
    problem, states, frames = data
    network = scratch()
    sample = Sample.of(states, problem, "train", frames)
    settings = dataclasses.replace(SETTINGS, force_weight=1.0)
    run = loop._Run(network, sample, sample, settings, 0, CPU)
    found = misfit(run, sample, [1])
    atoms, slopes = frames[1], np.empty((4, 3))
    network.module().double()
    for k in np.ndindex(4, 3):
        energies = []
        for step in (1e-4, -1e-4):
            moved = atoms.copy()
            moved.positions[k] += step
            energies.append(network.energy(network.graph([moved])).item())
        slopes[k] = (energies[0] - energies[1]) / 2e-4
    errors = -slopes * run.factor - atoms.get_forces()
    expected = np.mean((errors / run._force_scale) ** 2)
    assert found == pytest.approx(expected, rel=GRADIENT)


@pytest.mark.parametrize(
    ("make", "close", "along"),
    [
        pytest.param(lambda oc20: FineTunedSevenNet("n", "b", 4), 1e-5, ALONG, id="sevennet"),
        pytest.param(lambda oc20: scratch(), SLOPES, SLOPES, id="schnet"),
        pytest.param(lambda oc20: FineTunedSchNet("n", "b", 1, oc20), SLOPES, SLOPES, id="oc20"),
    ],
)
def test_forces_are_learnt_by_a_faster_way(make, close, along, surface, oc20):
    """Gradients in the weights as if all layers were differentiated twice; and in a strain."""
    network = make(oc20)
    weights = [p for p in network.module().parameters() if p.requires_grad]
    found = []
    for energy in (network.energy_to_learn, network.energy):
        graph = network.graph(surface[:2]).differentiable()
        output = energy(graph)
        slopes, strained = torch.autograd.grad(
            output.sum(), (graph.positions, graph.strain), create_graph=True
        )
        loss = output.square().sum() + slopes.square().sum()
        grads = torch.autograd.grad(loss, weights, allow_unused=True)
        found.append((output, slopes, strained, *grads))
    fast, whole = found
    for values, expected in zip(fast[:3], whole[:3], strict=True):
        assert (values - expected).norm() <= close * expected.norm() + 1e-5
    for grad, expected in zip(fast[3:], whole[3:], strict=True):
        if expected is not None:
            assert (grad - expected).norm() <= along * expected.norm()


def test_forces_are_learnt(data, tmp_path):
    problem, states, frames = data
    settings = dataclasses.replace(SETTINGS, epochs=60, lr=5e-3, force_weight=1.0)
    network, result = fitted((problem, states, frames), tmp_path, settings, forces=True)
    sample = Sample.of(states, problem, "train", frames)
    untrained = loop._Run(scratch(), sample, sample, settings, 0, CPU)
    trained = loop._Run(network, sample, sample, settings, 0, CPU)
    before, after = (misfit(run, sample, range(4)) for run in (untrained, trained))
    assert after < 0.7 * before
    assert result.history["train_rmse"].iloc[-1] < result.history["train_rmse"].iloc[0]


def test_frames_without_forces(data, tmp_path):
    """They count for energies only; without any, there is nothing to be learnt."""
    problem, states, frames = data
    settings = dataclasses.replace(SETTINGS, force_weight=1.0)
    scale = np.sqrt(np.mean([frames[k].get_forces() ** 2 for k in (0, 2, 3)]))
    frames[1].calc = SinglePointCalculator(frames[1], energy=-100.0)
    sample = Sample.of(states, problem, "train", frames)
    run = loop._Run(scratch(), sample, sample, settings, 0, CPU)
    assert run._force_scale == pytest.approx(scale)
    found = {k: misfit(run, sample, k) for k in ((0,), (2,), (0, 1, 2), (1,))}
    assert found[0, 1, 2] == pytest.approx((found[0,] + found[2,]) / 2, rel=BATCH)
    assert found[1,] == 0.0
    fitted((problem, states, frames), tmp_path, settings, forces=True)
    for atoms in frames[4:8]:
        atoms.calc = SinglePointCalculator(atoms, energy=-100.0)
    with pytest.raises(DataError, match="no validation frame has forces to choose the epoch by"):
        fitted((problem, states, frames), tmp_path / "unchosen", settings, forces=True)
    for atoms in frames:
        atoms.calc = SinglePointCalculator(atoms, energy=-100.0)
    with pytest.raises(DataError, match="no training frame has forces to be learnt; set force_w"):
        fitted((problem, states, frames), tmp_path / "none", settings, forces=True)


def test_forces_have_a_part_in_the_choice_of_the_epoch(data, tmp_path):
    """Where forces of validation frames are the opposite, the energies of later ones are better."""
    problem, _, frames = data
    for atoms in frames[4:8]:
        given = {"energy": atoms.get_potential_energy(), "forces": -atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **given)
    settings = dataclasses.replace(SETTINGS, lr=1e-2, force_weight=3.0)
    network, result = fitted(data, tmp_path, settings, forces=True)
    history = result.history.set_index("epoch")
    train, val = problem.members("train"), problem.members("val")
    spread = np.std(problem.residual[train] / 4)
    scale = rmse(np.array([frames[k].get_forces() for k in train]))
    energies, forces = 1e-3 * history["val_rmse"], 1e-3 * history["val_force_rmse"]
    loss = (energies / spread) ** 2 + 3.0 * (forces / scale) ** 2
    np.testing.assert_allclose(history["val_loss"], loss)
    assert result.best == loss.idxmin() != history["val_rmse"].idxmin()
    baseline = Baseline(problem.references, result.scale.shift)
    kept = NetworkPotential(network, result.scale.factor, baseline, CPU)
    errors = [kept.evaluate(frames[k]).forces - frames[k].get_forces() for k in val]
    assert rmse(np.array(errors)) == pytest.approx(forces[result.best], rel=GRADIENT)
