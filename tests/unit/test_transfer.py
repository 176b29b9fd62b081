"""Transfer on small frames: against fits on one data set, brute force, and its own promises."""

import numpy as np
import pandas as pd
import pytest
from samples import Named

from mekrr.errors import DataError
from mekrr.features.store import FrameFeatures, join_frames
from mekrr.kernels.atom import Gaussian, Linear
from mekrr.kernels.training import training_gram
from mekrr.models.constant import Constant
from mekrr.models.problem import Problem
from mekrr.models.ridge import KernelRidge
from mekrr.models.select import alpha_grid, regularisation_grid
from mekrr.study.experiments import transfer as experiment
from mekrr.study.experiments.fits import join, unchosen
from mekrr.study.experiments.kernel_fits import Grid, fit_kernels
from mekrr.study.experiments.kinds.constant import Models as Constants
from mekrr.study.experiments.kinds.kernel import fit_again
from mekrr.study.experiments.transfer import Transfer, write_transfer
from mekrr.study.methods import METHODS, methods_of

GRID = Grid(alpha_grid(0.01, 4), regularisation_grid(1e-6, 1e-2, 3))
NAMES = ("small", "large")
WEIGHTS = np.array([1.0, -2.0, 0.5])


def data_set(rng, species, formula):
    """30 frames whose energy is linear in the mean feature; a network that is nearly right."""
    n = len(species)
    features = FrameFeatures(rng.normal(size=(30 * n, 3)), np.tile(species, 30), np.arange(31) * n)
    mean = features.features.reshape(30, n, 3).mean(axis=1)
    frames = pd.DataFrame(
        {
            "index": range(30),
            "frame": range(500, 530),
            "n_atoms": n,
            "formula": formula,
            "energy": -3.0 * n + mean @ WEIGHTS,
        }
    )
    split = np.repeat(["train", "val", "test"], [18, 6, 6])
    gnn_energy = frames["energy"].to_numpy() + 2.0 * n + 0.01 * rng.normal(size=30)
    return features, Problem(frames, split, np.zeros(30)), gnn_energy


@pytest.fixture
def small(rng):
    return data_set(rng, [29, 29, 29, 8], "Cu3O")


@pytest.fixture
def large(rng):
    return data_set(rng, [29] * 6 + [8] * 2, "Cu6O2")


def of_kernel(kernel):
    return [method for method in methods_of("frozen") if method.kernel == kernel]


FITTED = ["training mean", "untouched GNN"]
FITTED += [method.name for kernel in ("linear", "gaussian") for method in of_kernel(kernel)]


def constant(problem, method, backbone):
    return unchosen(problem, method, backbone, Constant().fit(problem).predict(problem)[0])


def fits_on(source, rule):
    """All methods on two layers, as the fits of the workflow."""
    features, problem, gnn_energy = source
    problem = Problem.of(problem.frames, problem.split, rule, NAMES[0])
    network = problem.beyond_network(gnn_energy)
    problems = {"references": problem, "delta": problem.beyond(gnn_energy, rule, NAMES[0])}
    fits = [constant(problem, "training mean", "none"), constant(network, "untouched GNN", "b")]
    for name, kernels in (
        ("linear", {1: Linear(), 2: Linear()}),
        ("gaussian", {1: Gaussian(2.0), 2: Gaussian(3.0)}),
    ):
        train = problem.members("train")
        grams = {layer: training_gram(features, train, k)[0] for layer, k in kernels.items()}
        fits.append(fit_kernels(problems, grams, of_kernel(name), GRID, "b", frames=features))
    return join(fits)


def transferred(source, target, rule, choices):
    (features, problem, gnn), (other, goal, other_gnn) = source, target
    both = Transfer(problem, goal, rule, NAMES)
    joint, energy = both.problem(), both.of_both(gnn, other_gnn)
    train, test = problem.members("train"), goal.members("test")
    joined = join_frames(features.select(train), other.select(test))
    problems = {
        "references": joint,
        "network": joint.beyond_network(energy),
        "delta": joint.beyond(energy, rule, NAMES[0]),
    }
    return experiment.on_destination(
        fit_again(problems, choices, {1: joined, 2: joined}, METHODS.values())
    )


@pytest.mark.parametrize("rule", ["least-squares", "none", {"Cu": -3.0, "O": -3.0}])
def test_to_itself_it_is_the_fit(small, rule, tmp_path):
    fit = fits_on(small, rule)
    fit.choices.to_csv(tmp_path / "choices.csv", index=False)  # as the workflow passes them on
    found = transferred(small, small, rule, pd.read_csv(tmp_path / "choices.csv"))
    chosen = fit.choices.loc[fit.choices["chosen"], ["method", "layer"]].fillna({"layer": -1})
    own = fit.predictions.query("split == 'test'").fillna({"layer": -1}).merge(chosen)
    assert set(found["method"]) == set(FITTED)
    assert {"linear ridge", "species ridge", "MEKRR-species", "Delta-MEKRR"} < set(FITTED)
    for method, rows in found.groupby("method"):  # float32 kernels, λ down to 1e-6
        expected = own[own["method"] == method]
        for column in ("index", "frame", "n_atoms", "energy_ref"):
            assert rows[column].tolist() == expected[column].tolist()
        for column in ("energy_pred", "energy_std"):
            np.testing.assert_allclose(rows[column], expected[column], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["MEKRR", "MEKRR-extensive"])
def test_more_atoms_against_brute_force(small, large, name):
    """By a double sum over atoms in float64; energies per atom, α weighs those of one species."""
    choices, extensive = fits_on(small, "mean").choices, METHODS[name].form == "extensive"
    if extensive:
        choices.loc[choices["method"] == name, "alpha"] = 0.3
    found = transferred(small, large, "mean", choices)
    choice = choices.query("method == @name and chosen").iloc[0]
    (features, problem, _), (other, goal, _) = small, large
    rows = features.features.reshape(30, 4, 3)[problem.members("train")]
    new = other.features.reshape(30, 8, 3)[goal.members("test")]

    copper = {4: np.arange(4) < 3, 8: np.arange(8) < 6}

    def kernel(a, b):
        squares = np.square(a[:, None, :, None] - b[None, :, None, :]).sum(axis=-1)
        unlike = copper[a.shape[1]][:, None] != copper[b.shape[1]]
        weights = 1.0 - choice["alpha"] * unlike
        return (weights * np.exp(-squares / (2 * choice["lengthscale"] ** 2))).mean(axis=(2, 3))

    few, many = (4, 8) if extensive else (1, 1)
    per_atom = (problem.energy / 4)[:18].mean()
    model = KernelRidge(choice["regularisation"])
    model.fit(kernel(rows, rows), (problem.energy[:18] - 4 * per_atom) / few)
    expected = 8 * per_atom + many * model.predict(kernel(new, rows))
    mekrr = found.query("method == @name")
    np.testing.assert_allclose(mekrr["energy_pred"], expected, rtol=0, atol=1e-4)
    std = many * model.std(kernel(new, rows), np.diag(kernel(new, new)))
    np.testing.assert_allclose(mekrr["energy_std"], std, rtol=1e-3)
    assert mekrr["n_atoms"].eq(8).all()
    assert mekrr["index"].tolist() == list(range(24, 30))
    np.testing.assert_array_equal(mekrr["energy_ref"], goal.energy[24:])


def test_energies_of_the_target_play_no_part(small, large):
    choices = fits_on(small, "least-squares").choices
    features, goal, gnn_energy = large
    spoiled = goal.frames.assign(energy=goal.energy + 1000.0 * np.arange(30))
    plain, other = (
        transferred(small, (features, problem, gnn_energy), "least-squares", choices)
        for problem in (goal, Problem(spoiled, goal.split, np.zeros(30)))
    )
    columns = ["method", "layer", "index", "energy_pred", "energy_std"]
    pd.testing.assert_frame_equal(plain[columns], other[columns])


@pytest.mark.parametrize("rule", ["mean", "none", "least-squares"])
def test_unknown_species(small, rng, rule):
    other = data_set(rng, [29, 29, 6, 8], "Cu2CO")
    with pytest.raises(DataError, match="small to large: no training frame of small has C; take"):
        Transfer(small[1], other[1], rule, NAMES).problem()


def test_constant_is_that_of_the_origin(small, large):
    """By the kind itself, which reads no file."""
    step = Named(params=Named(methods=[method.recipe for method in methods_of("constants")]))
    (found,) = Constants.transfer(step, [Transfer(small[1], large[1], "none", NAMES)])
    mean = small[1].energy[small[1].members("train")].mean() / 4
    np.testing.assert_allclose(found["energy_pred"], 8 * mean)
    assert found["index"].tolist() == list(range(24, 30))
    assert "split" not in found


def test_values_of_both_are_those_of_the_frames_of_the_problem(small, large):
    both = Transfer(small[1], large[1], "mean", NAMES)
    for part in ("test", "val"):
        joint = both.problem(part)
        np.testing.assert_array_equal(
            both.of_both(small[1].energy, large[1].energy, part), joint.energy
        )
        assert len(joint.members("train")) == 18
        assert joint.part("test").frames["index"].tolist() == large[1].members(part).tolist()


def test_written_rows_say_where_they_come_from(small, large, tmp_path):
    table = transferred(small, large, "mean", fits_on(small, "mean").choices)
    labels = {"source": "small", "target": "large", "strategy": "run"}
    write_transfer(tmp_path / "p.csv", {3: table, 5: table}, labels | {"backbone": "b"})
    read = pd.read_csv(tmp_path / "p.csv")
    assert list(read.columns) == [
        *("source", "target", "strategy", "seed", "method", "backbone", "layer", "index"),
        *("frame", "n_atoms", "energy_ref", "energy_pred", "energy_std"),
    ]
    assert read["seed"].tolist() == [3] * len(table) + [5] * len(table)
    assert read.loc[read["method"] == "training mean", "backbone"].eq("none").all()
    assert read.loc[read["method"].str.endswith("MEKRR"), "energy_std"].gt(0).all()
    assert read.loc[read["method"] == "untouched GNN", "energy_std"].isna().all()


def test_features_of_other_width(small, rng):
    wide = FrameFeatures(rng.normal(size=(4, 5)), np.full(4, 29), np.array([0, 4]))
    with pytest.raises(DataError, match="3 and 5 wide; list the species of both"):
        join_frames(small[0], wide)


def test_another_composition_widens_the_standard_deviations(small, rng, caplog):
    """By what the source leaves undetermined, of the energy and of what the network leaves."""
    choices = fits_on(small, "least-squares").choices
    same = data_set(rng, [29] * 6 + [8] * 2, "Cu6O2")
    other = data_set(rng, [29] * 7 + [8], "Cu7O")
    other[1].frames["energy"] += 1.0
    caplog.set_level("INFO")
    known = Transfer(small[1], same[1], "least-squares", NAMES).problem()
    assert not known.undetermined.any()
    assert not caplog.records
    table = transferred(small, other, "least-squares", choices)
    (record,) = caplog.records
    assert record.getMessage().startswith("small to large: frames 524, 525, 526, … of Cu7 O1: ")
    energy = small[1].energy[small[1].members("train")].mean()
    beyond = abs(3 * 1 - 1 * 7) / np.sqrt(10)
    expected = abs(energy) / np.sqrt(10) * beyond
    std = table.set_index("method")["energy_std"]
    assert (std["MEKRR"] > 0.999 * expected).all()
    assert (std["MEKRR"] < 1.5 * expected).all()
    assert std["training mean"].isna().all()
    assert not np.isclose(std["Delta-MEKRR"], std["MEKRR"]).any()  # by the rest's own scale
