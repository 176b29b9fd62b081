"""Selection on validation frames, baselines, and the tables of a fit."""

import numpy as np
import pandas as pd
import pytest
import tolerances as tol
from mekrr.models.baselines import linear_ridge, species_ridge, training_mean, untouched_gnn
from mekrr.models.fits import MEKRR_METHODS, Problem, fit_kernels, read_alpha

from mekrr.errors import DataError, SolveError
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Gaussian
from mekrr.kernels.gram import Gram, self_gram, train_gram
from mekrr.kernels.store import LayerKernel, read_kernels, write_kernels
from mekrr.metrics import error_per_atom, largest_errors, metrics
from mekrr.models.ridge import KernelRidge
from mekrr.models.select import (
    Choice,
    alpha_grid,
    choose,
    descend,
    leave_one_out_sweep,
    mixture,
    regularisation_grid,
    sweep,
    sweeps,
)

ALPHAS, LAMBDAS = alpha_grid(0.01, 5), regularisation_grid(1e-8, 1e-2, 4)


@pytest.fixture
def features(rng):
    """60 frames of 4 + 2 atoms; the energy below is linear in the mean feature."""
    species = np.tile([29, 29, 29, 29, 8, 1], 60)
    return FrameFeatures(rng.normal(size=(360, 3)), species, np.arange(61) * 6)


@pytest.fixture
def problem(features):
    mean = features.features.reshape(60, 6, 3).mean(axis=1)
    frames = pd.DataFrame(
        {
            "index": range(60),
            "frame": range(100, 160),
            "run": 0,
            "n_atoms": 6,
            "formula": "Cu4OH",
            "energy": -500.0 + mean @ [1.0, -2.0, 0.5],
        }
    )
    return Problem(frames, np.repeat(["train", "val", "test"], [36, 12, 12]), np.zeros(60))


@pytest.fixture
def kernel(problem, features):
    """Float64 products, so that brute force in float64 is an oracle."""
    gram = train_gram(features, problem.members("train"), Gaussian(1.5), dtype=np.float64)
    return LayerKernel(gram, self_gram(features, Gaussian(1.5)), 1.5)


@pytest.fixture
def gnn_energy(problem, rng):
    """A network that is right up to a small rest, but for its zero of energy."""
    return problem.energy + 0.05 * rng.normal(size=60) - 6 * 3.25


def fit_all(problem, kernels, gnn_energy):
    return fit_kernels(
        problem,
        kernels,
        dict.fromkeys(MEKRR_METHODS, ALPHAS) | {"MEKRR": np.zeros(1)},
        LAMBDAS,
        "b",
        delta=problem.beyond(gnn_energy, "least-squares", "mine"),
        threads=2,
    )


def test_linear_ridge_of_frames_that_are_all_the_same(problem, features):
    one = features.select(np.zeros(len(problem.split), dtype=int))
    with pytest.raises(DataError, match=r"^linear ridge: the features of all .* are the same"):
        linear_ridge(problem, {2: one}, regularisation_grid(1e-8, 1e-2, 2), "b")


def test_linear_ridge_recovers_a_linear_energy(problem, features):
    fit = linear_ridge(problem, {2: features}, regularisation_grid(1e-12, 1e-2, 6), "b")
    error = error_per_atom(fit.predictions)
    assert error.abs().max() < 1e-3
    assert fit.choices.loc[0, "method"] == "linear ridge"


def test_gaussian_fit_beats_the_mean(problem, features):
    train = problem.members("train")
    gram, own = train_gram(features, train, Gaussian(3.0)), self_gram(features, Gaussian(3.0))
    fit = fit_kernels(
        problem,
        {1: LayerKernel(gram, own, 3.0), 2: LayerKernel(Gram(gram.k0, {}), own, 3.0)},
        {"MEKRR": np.zeros(1), "MEKRR-alpha": alpha_grid(0.01, 4)},
        regularisation_grid(1e-10, 1e-2, 5),
        "b",
    )
    assert fit.choices.groupby("method")["chosen"].sum().eq(1).all()
    assert (fit.choices.loc[fit.choices["method"] == "MEKRR", "alpha"] == 0).all()
    assert len(fit.sweep) == 2 * 4 * 5
    ours = metrics(fit.predictions, ["method", "layer", "split"])
    mean = metrics(training_mean(problem).predictions, ["split"])
    test = ours[(ours["split"] == "test") & (ours["layer"] == 1)]
    assert (test["rmse"] < 0.5 * mean.set_index("split").loc["test", "rmse"]).all()


def test_selection_never_sees_test_energies(problem, features):
    """Changing the test energies must change neither choices nor predictions."""
    spoiled = problem.frames.copy()
    spoiled.loc[problem.members("test"), "energy"] += 1000.0
    grid = regularisation_grid(1e-12, 1e-2, 6)
    fits = [
        linear_ridge(Problem(frames, problem.split, np.zeros(60)), {2: features}, grid, "b")
        for frames in (problem.frames, spoiled)
    ]
    pd.testing.assert_frame_equal(fits[0].choices, fits[1].choices)
    np.testing.assert_array_equal(
        fits[0].predictions["energy_pred"], fits[1].predictions["energy_pred"]
    )


def test_no_method_sees_test_energies(problem, kernel, gnn_energy):
    spoiled = problem.frames.copy()
    spoiled.loc[problem.members("test"), "energy"] += 1000.0
    fits = [
        fit_all(Problem(frames, problem.split, np.zeros(60)), {2: kernel}, gnn_energy)
        for frames in (problem.frames, spoiled)
    ]
    assert set(fits[0].choices["method"]) == set(MEKRR_METHODS)
    pd.testing.assert_frame_equal(fits[0].choices, fits[1].choices)
    columns = ["method", "energy_pred", "energy_std"]
    pd.testing.assert_frame_equal(fits[0].predictions[columns], fits[1].predictions[columns])


def test_leave_one_out_never_sees_validation_energies(problem, kernel, gnn_energy):
    spoiled = problem.frames.copy()
    spoiled.loc[problem.members("val"), "energy"] += 1000.0 * np.arange(12)
    rows = []
    for frames in (problem.frames, spoiled):
        fit = fit_all(Problem(frames, problem.split, np.zeros(60)), {2: kernel}, gnn_energy)
        row = fit.choices.set_index("method").loc["MEKRR-alpha-loo"]
        rows.append(row.drop("validation_rmse").drop("alphas_by_species"))
    pd.testing.assert_series_equal(*rows)


def test_leave_one_out_choice_equals_refits(problem, kernel):
    """Every training frame in turn predicted by a dense solve without it."""
    train = problem.members("train")
    standard = (problem.target[train] - problem.target[train].mean()) / problem.target[train].std()
    expected = {}
    for alpha in ALPHAS:
        square = kernel.gram.at(alpha)[train]
        for regularisation in LAMBDAS:
            errors = []
            for i in range(36):
                others = np.arange(36) != i
                shift = 36 * regularisation * np.eye(35)
                c = np.linalg.solve(square[np.ix_(others, others)] + shift, standard[others])
                errors.append(square[i, others] @ c - standard[i])
            rmse = np.sqrt(np.mean(np.square(errors))) * problem.target[train].std()
            expected[alpha, regularisation] = 1000.0 * rmse / 6
    fit = fit_kernels(problem, {2: kernel}, {"MEKRR-alpha-loo": ALPHAS}, LAMBDAS, "b")
    row = fit.choices.loc[0]
    best = min(expected, key=expected.get)
    assert (row["alpha"], row["regularisation"]) == best
    assert row["leave_one_out_rmse"] == pytest.approx(expected[best], rel=tol.PEER)
    found = fit.sweep.set_index(["alpha", "regularisation"])["leave_one_out_rmse"]
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=tol.SELECTION)


def test_sweeps_of_several_targets_are_those_of_each(problem, kernel, gnn_energy):
    k0, k1, train, val = (
        *(kernel.gram.k0, kernel.gram.k1),
        *(problem.members("train"), problem.members("val")),
    )
    targets = [problem.target, problem.target - gnn_energy]
    rest = (problem.n_atoms, train, val, ALPHAS, LAMBDAS)
    both = sweeps(k0, k1, targets, *rest, threads=2, leave_one_out=True)
    for target, table in zip(targets, both, strict=True):
        alone = sweep(k0, k1, target, *rest)
        pd.testing.assert_frame_equal(table[alone.columns], alone, rtol=tol.SELECTION)
    loo = leave_one_out_sweep(
        k0[train], k1[train], targets[0][train], problem.n_atoms[train], ALPHAS, LAMBDAS, 1
    )
    np.testing.assert_allclose(both[0]["leave_one_out_rmse"], loo["rmse"], rtol=tol.SELECTION)


def test_layer_is_chosen_by_the_methods_own_criterion(problem, features, gnn_energy):
    """On validation frames one layer is the better one, by leave-one-out the other."""
    train = problem.members("train")
    layers = {}
    for layer, sigma in enumerate((0.3, 3.0)):
        gram = train_gram(features, train, Gaussian(sigma))
        layers[layer] = LayerKernel(gram, self_gram(features, Gaussian(sigma)), sigma)
    energy = problem.energy.copy()
    energy[problem.members("val")] = energy[train].mean()
    swapped = Problem(problem.frames.assign(energy=energy), problem.split, np.zeros(60))
    chosen = fit_all(swapped, layers, gnn_energy).choices.query("chosen").set_index("method")
    assert chosen.loc["MEKRR-alpha", "layer"] == 0
    assert chosen.loc["MEKRR-alpha-loo", "layer"] == 1


def test_delta_is_the_same_fit_to_what_the_network_leaves(problem, kernel, gnn_energy):
    fit = fit_all(problem, {2: kernel}, gnn_energy)
    rest = problem.frames.assign(energy=problem.energy - gnn_energy)
    plain = fit_kernels(
        Problem.of(rest, problem.split, "least-squares", "mine"),
        {2: kernel},
        {"MEKRR-alpha": ALPHAS},
        LAMBDAS,
        "b",
    )
    delta = fit.predictions.query("method == 'Delta-MEKRR'").reset_index(drop=True)
    expected = plain.predictions["energy_pred"] + gnn_energy
    np.testing.assert_allclose(delta["energy_pred"], expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(delta["energy_std"], plain.predictions["energy_std"])
    np.testing.assert_array_equal(delta["energy_ref"], problem.energy)
    error = metrics(fit.predictions.query("split == 'test'"), ["method"]).set_index("method")
    assert error.loc["Delta-MEKRR", "rmse"] < 1000 * 0.05


@pytest.mark.parametrize("rule", ["least-squares", "mean", {"Cu": -3.0, "O": -5.0, "H": -1.0}])
def test_the_networks_zero_of_energy_does_not_matter(problem, kernel, gnn_energy, rule):
    """As its own energies know nothing of the data's zero, another one changes nothing."""
    predicted = []
    for shift in (0.0, 700.0):
        fit = fit_kernels(
            problem,
            {2: kernel},
            {"Delta-MEKRR": ALPHAS},
            LAMBDAS,
            "b",
            delta=problem.beyond(gnn_energy + shift, rule, "mine"),
        )
        predicted.append(fit.predictions["energy_pred"])
    np.testing.assert_allclose(*predicted, rtol=0, atol=1e-6)


def test_without_an_energy_of_the_network_there_is_no_delta(problem, kernel):
    methods = {"MEKRR": np.zeros(1), "Delta-MEKRR": ALPHAS}
    fit = fit_kernels(problem, {2: kernel}, methods, LAMBDAS, "b")
    assert set(fit.choices["method"]) == {"MEKRR"}


def test_mixture_of_equal_alphas_is_that_of_one(kernel):
    for alpha in (0.0, 0.3, 1.0):
        same = mixture(kernel.gram, dict.fromkeys((1, 8, 29), alpha))
        np.testing.assert_allclose(same, kernel.gram.at(alpha), rtol=1e-14)


def test_mixture_is_semi_definite(problem, kernel, rng):
    train = problem.members("train")
    for _ in range(20):
        alphas = dict(zip((1, 8, 29), rng.choice([0.0, 1.0, rng.uniform()], 3), strict=True))
        square = mixture(kernel.gram, alphas)[train]
        assert np.linalg.eigvalsh(square).min() > -tol.GRAM_FLOAT64 * np.trace(square)


def test_descent_never_loses_and_finds_the_species_that_decides(problem, features, kernel):
    """The energy is that of the hydrogen atom, which the whole frame's kernel hardly sees."""
    energy = features.features.reshape(60, 6, 3)[:, 5] @ [1.0, -2.0, 0.5]
    problem = Problem(problem.frames.assign(energy=energy), problem.split, np.zeros(60))
    train, val = problem.members("train"), problem.members("val")
    data = (problem.target, problem.n_atoms, train, val)
    start = choose(sweep(kernel.gram.k0, kernel.gram.k1, *data, ALPHAS, LAMBDAS))
    found = descend(kernel.gram, *data, start, ALPHAS, LAMBDAS, threads=2)
    assert found.validation_rmse < 0.9 * start.validation_rmse
    assert found.alpha[1] > max(found.alpha[8], found.alpha[29])
    full = mixture(kernel.gram, found.alpha)
    model = KernelRidge(found.regularisation).fit(full[train], energy[train])
    error = 1000.0 * (model.predict(full[val]) - energy[val]) / 6
    assert found.validation_rmse == pytest.approx(np.sqrt(np.mean(error**2)), rel=tol.SELECTION)


def test_descent_stays_where_nothing_is_better(problem, kernel):
    best = Choice(0.1, 1e-4, 0.0)
    data = (problem.target, problem.n_atoms, problem.members("train"), problem.members("val"))
    grid = np.array([0.0, 0.1, 1.0])
    found = descend(kernel.gram, *data, best, grid, LAMBDAS)
    assert found.alpha == dict.fromkeys((1, 8, 29), 0.1)
    assert found.regularisation == 1e-4


def test_species_row_is_never_worse_on_validation(problem, kernel, gnn_energy):
    choices = fit_all(problem, {2: kernel}, gnn_energy).choices.set_index("method")
    single, species = choices.loc["MEKRR-alpha"], choices.loc["MEKRR-species"]
    assert species["validation_rmse"] <= single["validation_rmse"]
    assert np.isnan(species["alpha"])
    assert pd.isna(single["alphas_by_species"])
    assert set(read_alpha(species)) == {1, 8, 29}
    assert read_alpha(single) == single["alpha"]


def test_standard_deviations_are_those_of_the_fit(problem, kernel, gnn_energy):
    fit = fit_all(problem, {2: kernel}, gnn_energy)
    train = problem.members("train")
    choices = fit.choices.set_index("method")
    for method, rows in fit.predictions.groupby("method"):
        alpha = read_alpha(choices.loc[method])
        full, own = mixture(kernel.gram, alpha), mixture(kernel.own, alpha)
        target = problem.target - (gnn_energy if method == "Delta-MEKRR" else 0.0)
        model = KernelRidge(choices.loc[method, "regularisation"]).fit(full[train], target[train])
        np.testing.assert_allclose(rows["energy_std"], model.std(full, own), rtol=1e-5)


def test_species_ridge_sees_what_the_mean_feature_hides(problem, features):
    """Opposite features of O and H leave no trace in the mean over the frame."""
    atoms = features.features.reshape(60, 6, 3).copy()
    atoms[:, 5] = -atoms[:, 4]
    hidden = FrameFeatures(atoms.reshape(-1, 3), features.species, features.pointer)
    energy = atoms[:, 4] @ [1.0, -2.0, 0.5]
    problem = Problem(problem.frames.assign(energy=energy), problem.split, np.zeros(60))
    fits = {
        fit: error_per_atom(fit(problem, {2: hidden}, LAMBDAS * 1e-4, "b").predictions)
        for fit in (linear_ridge, species_ridge)
    }
    assert fits[species_ridge].abs().max() < 1e-2
    assert fits[linear_ridge].abs().max() > 100


def test_references_are_taken_off_and_put_back(problem, features):
    """A composition energy known exactly must leave the fit as it is without."""
    grid = regularisation_grid(1e-12, 1e-2, 6)
    plain = linear_ridge(problem, {2: features}, grid, "b")
    offset = np.where(np.arange(60) % 2, 700.0, -300.0)
    shifted = problem.frames.assign(energy=problem.frames["energy"] + offset)
    fit = linear_ridge(Problem(shifted, problem.split, offset), {2: features}, grid, "b")
    np.testing.assert_allclose(
        fit.predictions["energy_pred"] - offset,
        plain.predictions["energy_pred"],
        atol=1e-6,
    )
    mean = training_mean(Problem(shifted, problem.split, offset)).predictions
    np.testing.assert_allclose(
        mean["energy_pred"] - offset, training_mean(problem).predictions["energy_pred"]
    )


def test_untouched_gnn_loses_its_mean_shift(problem):
    gnn = problem.energy + 6 * 3.25
    fit = untouched_gnn(problem, gnn, "b")
    np.testing.assert_allclose(fit.predictions["energy_pred"], problem.energy, rtol=1e-14)


def test_alpha_grid_holds_both_ends():
    grid = alpha_grid(1e-4, 21)
    assert len(grid) == 21
    assert grid[0] == 0.0
    assert grid[1] == pytest.approx(1e-4)
    assert grid[-1] == pytest.approx(1.0)
    assert (np.diff(grid) > 0).all()


def test_choose_passes_over_indefinite_points():
    table = pd.DataFrame(
        {"alpha": 0.0, "regularisation": [1e-9, 1e-8], "rmse": [np.nan, 2.0], "mae": 1.0}
    )
    assert choose(table).regularisation == 1e-8
    with pytest.raises(SolveError, match="extend it upwards"):
        choose(table.assign(rmse=np.nan))


def test_metrics_are_per_atom_in_mev():
    table = pd.DataFrame(
        {
            "method": "m",
            "frame": [7, 8],
            "n_atoms": [50, 100],
            "energy_ref": [1.0, 2.0],
            "energy_pred": [1.05, 1.6],
        }
    )
    row = metrics(table, ["method"]).iloc[0]
    assert row["rmse"] == pytest.approx(np.sqrt((1.0 + 16.0) / 2))
    assert row["mae"] == pytest.approx(2.5)
    assert row["largest"] == pytest.approx(4.0)
    assert largest_errors(table, ["method"], 1)["frame"].tolist() == [8]


def test_kernels_survive_the_disk(tmp_path, rng):
    gram = Gram(rng.normal(size=(4, 3)), {s: rng.normal(size=(4, 3)) for s in (1, 29)})
    own = Gram(rng.normal(size=4), {1: rng.normal(size=4), 29: rng.normal(size=4)})
    path = tmp_path / "k.safetensors"
    write_kernels(path, {2: LayerKernel(gram, own, 1.5)}, np.arange(3))
    loaded, train = read_kernels(path)
    for part in ("gram", "own"):
        found, expected = (
            getattr(kernel, part) for kernel in (loaded[2], LayerKernel(gram, own, 1.5))
        )
        np.testing.assert_array_equal(found.k0, expected.k0)
        assert list(found.shares) == [1, 29]
        np.testing.assert_array_equal(found.k1, expected.k1)
    np.testing.assert_array_equal(train, np.arange(3))
    assert loaded[2].lengthscale == 1.5
