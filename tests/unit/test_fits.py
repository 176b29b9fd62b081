"""Fits of all methods on kernels, and their tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tolerances as tol
from toy import (
    ATOMS,
    N_ATOMS,
    SPECIES,
    of_atoms,
    problems_of,
    toy_features,
    toy_gram,
    toy_network_energy,
    toy_problem,
    with_energy,
)

from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Linear
from mekrr.kernels.gram import Gram
from mekrr.kernels.training import training_gram
from mekrr.metrics import error_per_atom, metrics
from mekrr.models.constant import Constant
from mekrr.models.problem import Problem
from mekrr.models.ridge import KernelRidge
from mekrr.models.select import LEAVE_ONE_OUT, alpha_grid, regularisation_grid
from mekrr.study.experiments.fits import Fit, join, unchosen, write_fit
from mekrr.study.experiments.kernel_fits import Grid, fit_kernels, read_alpha
from mekrr.study.methods import METHODS, methods_of

GRID = Grid(alpha_grid(0.01, 5), regularisation_grid(1e-8, 1e-2, 4))
GAUSSIAN = {m.name: m for m in methods_of("mekrr")}


@pytest.fixture
def features(rng):
    return toy_features(rng)


@pytest.fixture
def problem(features):
    return toy_problem(features)


@pytest.fixture
def gram(features):
    return toy_gram(features)


@pytest.fixture
def gnn_energy(problem, rng):
    return toy_network_energy(problem, rng)


def fit_all(problem, grams, gnn_energy):
    problems, methods = problems_of(problem, gnn_energy), [*GAUSSIAN.values()]
    frames = FrameFeatures(np.empty((len(ATOMS), 0)), ATOMS, np.arange(61) * N_ATOMS)
    return fit_kernels(problems, grams, methods, GRID, "b", threads=2, frames=frames)


def linear(method, problem, features, smallest=1e-12):
    """A fit of ridge regression on mean features."""
    gram, _ = training_gram(features, problem.members("train"), Linear())
    grid = Grid(np.zeros(1), regularisation_grid(smallest, 1e-2, 6))
    return fit_kernels({"references": problem}, {2: gram}, [METHODS[method]], grid, "b")


def constant(problem, method="training mean"):
    return unchosen(problem, method, "none", Constant().fit(problem).predict(problem)[0])


def test_linear_ridge_recovers_a_linear_energy(problem, features):
    fit = linear("linear ridge", problem, features)
    assert error_per_atom(fit.predictions).abs().max() < 1e-3
    assert fit.choices.loc[0, "method"] == "linear ridge"
    assert fit.choices.loc[0, "alpha"] == 0.0
    assert np.isnan(fit.choices.loc[0, "lengthscale"])


def test_species_ridge_sees_what_the_mean_feature_hides(problem, features):
    """Opposite features of O and H leave no trace in the mean over the frame."""
    atoms = of_atoms(features).copy()
    atoms[:, 5] = -atoms[:, 4]
    hidden = FrameFeatures(atoms.reshape(-1, 3), features.species, features.pointer)
    problem = with_energy(problem, atoms[:, 4] @ [1.0, -2.0, 0.5])
    errors = {
        method: error_per_atom(linear(method, problem, hidden).predictions)
        for method in ("linear ridge", "species ridge")
    }
    assert errors["species ridge"].abs().max() < 1e-2
    assert errors["linear ridge"].abs().max() > 100


def test_gaussian_fit_beats_the_mean(problem, features):
    gram = toy_gram(features, 3.0)
    fit = fit_kernels(
        {"references": problem},
        {1: gram, 2: Gram(gram.k0, {}, gram.self_kernel, 3.0)},
        [METHODS["MEKRR"], METHODS["MEKRR-alpha"]],
        Grid(alpha_grid(0.01, 4), regularisation_grid(1e-10, 1e-2, 5)),
        "b",
    )
    assert fit.choices.groupby("method")["chosen"].sum().eq(1).all()
    assert (fit.choices.loc[fit.choices["method"] == "MEKRR", "alpha"] == 0).all()
    assert len(fit.sweep) == 2 * 4 * 5
    ours = metrics(fit.predictions, ["method", "layer", "split"])
    mean = metrics(constant(problem).predictions, ["split"])
    test = ours[(ours["split"] == "test") & (ours["layer"] == 1)]
    assert (test["rmse"] < 0.5 * mean.set_index("split").loc["test", "rmse"]).all()


def test_no_method_sees_test_energies(problem, gram, features, gnn_energy):
    """Changing the test energies must change neither choices nor predictions."""
    spoiled = problem.energy.copy()
    spoiled[problem.members("test")] += 1000.0
    both = (problem, with_energy(problem, spoiled))
    for first, second in (
        [fit_all(p, {2: gram}, gnn_energy) for p in both],
        [linear("linear ridge", p, features) for p in both],
        [linear("species ridge", p, features) for p in both],
        [constant(p) for p in both],
        [constant(p.beyond_network(gnn_energy), "untouched GNN") for p in both],
    ):
        pd.testing.assert_frame_equal(first.choices, second.choices)
        columns = ["method", "energy_pred", "energy_std"]
        pd.testing.assert_frame_equal(first.predictions[columns], second.predictions[columns])


def test_every_method_is_fitted(problem, gram, gnn_energy):
    fit = fit_all(problem, {2: gram}, gnn_energy)
    assert set(fit.choices["method"]) == set(fit.predictions["method"]) == set(GAUSSIAN)
    assert set(GAUSSIAN) == {
        *("MEKRR", "MEKRR-alpha", "MEKRR-alpha-loo", "MEKRR-species", "Delta-MEKRR"),
        *("MEKRR-extensive", "Delta-MEKRR-extensive"),
    }


def test_leave_one_out_never_sees_validation_energies(problem, gram, gnn_energy):
    spoiled = problem.energy.copy()
    spoiled[problem.members("val")] += 1000.0 * np.arange(12)
    rows = []
    for each in (problem, with_energy(problem, spoiled)):
        fit = fit_all(each, {2: gram}, gnn_energy)
        row = fit.choices.set_index("method").loc["MEKRR-alpha-loo"]
        rows.append(row.drop("validation_rmse").drop("alphas_by_species"))
    pd.testing.assert_series_equal(*rows)


def test_layer_is_chosen_by_the_methods_own_criterion(problem, features, gnn_energy):
    """On validation frames one layer is the better one, by leave-one-out the other."""
    layers = {layer: toy_gram(features, sigma) for layer, sigma in enumerate((0.3, 3.0))}
    energy = problem.energy.copy()
    energy[problem.members("val")] = energy[problem.members("train")].mean()
    swapped = with_energy(problem, energy)
    chosen = fit_all(swapped, layers, gnn_energy).choices.query("chosen").set_index("method")
    assert chosen.loc["MEKRR-alpha", "layer"] == 0
    assert chosen.loc["MEKRR-alpha-loo", "layer"] == 1


def test_delta_is_the_same_fit_to_what_the_network_leaves(problem, gram, gnn_energy):
    fit = fit_all(problem, {2: gram}, gnn_energy)
    rest = problem.frames.assign(energy=problem.energy - gnn_energy)
    left = Problem.of(rest, problem.split, "least-squares", "mine")
    plain = fit_kernels({"references": left}, {2: gram}, [METHODS["MEKRR-alpha"]], GRID, "b")
    delta = fit.predictions.query("method == 'Delta-MEKRR'").reset_index(drop=True)
    expected = plain.predictions["energy_pred"] + gnn_energy
    np.testing.assert_allclose(delta["energy_pred"], expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(delta["energy_std"], plain.predictions["energy_std"])
    np.testing.assert_array_equal(delta["energy_ref"], problem.energy)
    error = metrics(fit.predictions.query("split == 'test'"), ["method"]).set_index("method")
    assert error.loc["Delta-MEKRR", "rmse"] < 1000 * 0.05


@pytest.mark.parametrize("rule", ["least-squares", "mean", {"Cu": -3.0, "O": -5.0, "H": -1.0}])
def test_the_networks_zero_of_energy_does_not_matter(problem, gram, gnn_energy, rule):
    predicted = []
    for shift in (0.0, 700.0):
        delta = {"delta": problem.beyond(gnn_energy + shift, rule, "mine")}
        fit = fit_kernels(delta, {2: gram}, [METHODS["Delta-MEKRR"]], GRID, "b")
        predicted.append(fit.predictions["energy_pred"])
    np.testing.assert_allclose(*predicted, rtol=0, atol=1e-6)


def test_without_an_energy_of_the_network_there_is_no_delta(problem, gram):
    fit = fit_kernels(
        {"references": problem}, {2: gram}, [METHODS["MEKRR"], METHODS["Delta-MEKRR"]], GRID, "b"
    )
    assert set(fit.choices["method"]) == {"MEKRR"}


def test_delta_by_leave_one_out_is_fitted(problem, gram, gnn_energy, monkeypatch):
    """A method that the study does not have: it was a KeyError."""
    changed = replace(METHODS["Delta-MEKRR"], criterion=LEAVE_ONE_OUT, by_species=True)
    monkeypatch.setitem(GAUSSIAN, "Delta-MEKRR", changed)
    (row,) = (
        fit_all(problem, {2: gram}, gnn_energy)
        .choices.query("method == 'Delta-MEKRR'")
        .to_dict("records")
    )
    assert np.isfinite(row["leave_one_out_rmse"])
    assert np.isnan(row["validation_rmse"])
    assert set(read_alpha(row)) == set(SPECIES)


def test_species_row_is_never_worse_on_validation(problem, gram, gnn_energy):
    choices = fit_all(problem, {2: gram}, gnn_energy).choices.set_index("method")
    single, species = choices.loc["MEKRR-alpha"], choices.loc["MEKRR-species"]
    assert species["validation_rmse"] <= single["validation_rmse"]
    assert np.isnan(species["alpha"])
    assert pd.isna(single["alphas_by_species"])
    assert set(read_alpha(species)) == set(SPECIES)
    assert read_alpha(single) == single["alpha"]


def test_errors_of_choices_are_those_of_the_predictions(problem, gram, gnn_energy):
    """On validation frames: leave-one-out errors stand in a column of their own."""
    fit = fit_all(problem, {2: gram}, gnn_energy)
    validation = metrics(fit.predictions.query("split == 'val'"), ["method"]).set_index("method")
    by_leave_one_out = []
    for row in fit.choices.to_dict("records"):
        expected = validation.loc[row["method"], "rmse"]
        assert row["validation_rmse"] == pytest.approx(expected, rel=tol.SELECTION)
        if np.isfinite(row["leave_one_out_rmse"]):
            by_leave_one_out.append(row["method"])
    assert by_leave_one_out == ["MEKRR-alpha-loo"]


def test_standard_deviations_are_those_of_the_fit(problem, gram, gnn_energy):
    fit = fit_all(problem, {2: gram}, gnn_energy)
    train = problem.members("train")
    choices = fit.choices.set_index("method")
    for method, rows in fit.predictions.groupby("method"):
        alpha, recipe, size = read_alpha(choices.loc[method]), GAUSSIAN[method], 1
        full, own = gram.at(alpha), gram.self_kernel.at(alpha)
        if recipe.form == "extensive":
            full, own, size = by_hand(gram, alpha), by_hand(gram.self_kernel, alpha), N_ATOMS
        target = (problem.energy - (gnn_energy if recipe.baseline == "delta" else 0.0)) / size
        model = KernelRidge(choices.loc[method, "regularisation"]).fit(full[train], target[train])
        np.testing.assert_allclose(rows["energy_std"], size * model.std(full, own), rtol=1e-5)


def by_hand(gram, alpha):
    """The extensive kernel of frames of Cu4OH: each species by the square of its part."""
    weights = {29: (4 / 6) ** 2, 8: (1 / 6) ** 2, 1: (1 / 6) ** 2}
    return (1 - alpha) * gram.k0 + alpha * sum(w * gram.shares[s] for s, w in weights.items())


@pytest.mark.parametrize("baseline", ["references", "delta"])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_forms_differ_by_the_weights_of_species_alone(
    problem, features, gram, gnn_energy, alpha, baseline
):
    """At one composition and λ; where α is 0 they are the same model."""
    kernels = {"intensive": gram.at(alpha), "extensive": by_hand(gram, alpha)}
    own = {"intensive": gram.self_kernel.at(alpha), "extensive": by_hand(gram.self_kernel, alpha)}
    methods = [
        replace(METHODS["MEKRR"], name=form, form=form, alpha=alpha, baseline=baseline)
        for form in kernels
    ]
    problems, grid = problems_of(problem, gnn_energy), Grid(np.zeros(1), np.array([1e-4]))
    fit = fit_kernels(problems, {2: gram}, methods, grid, "b", frames=features)
    left, train, found = problems[baseline], problem.members("train"), {}
    for form, rows in fit.predictions.groupby("method"):
        found[form] = rows["energy_pred"].to_numpy() - left.baseline
        ridge = KernelRidge(1e-4).fit(kernels[form][train], left.residual[train])
        np.testing.assert_allclose(found[form], ridge.predict(kernels[form]), rtol=tol.PEER)
        std = ridge.std(kernels[form], own[form])
        np.testing.assert_allclose(rows["energy_std"], std, rtol=tol.PEER)
    same = np.isclose(found["intensive"], found["extensive"], rtol=tol.PEER, atol=0.0)
    assert same.all() if alpha == 0.0 else not same.any()


def test_references_are_taken_off_and_put_back(problem, features):
    """A composition energy known exactly must leave the fit as it is without."""
    offset = np.where(np.arange(60) % 2, 700.0, -300.0)
    frames = problem.frames.assign(energy=problem.energy + offset)
    shifted = Problem(frames, problem.split, offset)
    for fit, plain in (
        (linear("linear ridge", shifted, features), linear("linear ridge", problem, features)),
        (constant(shifted), constant(problem)),
    ):
        np.testing.assert_allclose(
            fit.predictions["energy_pred"] - offset, plain.predictions["energy_pred"], atol=1e-6
        )


def test_untouched_gnn_loses_its_mean_shift(problem):
    known = problem.beyond_network(problem.energy + 6 * 3.25)
    fit = constant(known, "untouched GNN")
    np.testing.assert_allclose(fit.predictions["energy_pred"], problem.energy, rtol=1e-14)


def test_alphas_by_species_come_back_from_the_table(problem, gram, gnn_energy, tmp_path):
    fit = fit_all(problem, {2: gram}, gnn_energy)
    labels = {"dataset": "d", "strategy": "run", "seed": "3"}
    paths = {name: tmp_path / f"{name}.csv" for name in ("choices", "predictions")}
    expected = [read_alpha(row) for row in fit.choices.to_dict("records")]
    write_fit(join([constant(problem), fit]), labels, paths)
    table = pd.read_csv(paths["choices"])
    assert list(table.columns[:4]) == ["dataset", "strategy", "seed", "method"]
    assert table["seed"].eq(3).all()
    found = [read_alpha(row) for row in table.iloc[1:].to_dict("records")]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == theirs
    written = pd.read_csv(paths["predictions"])
    assert len(written) == 60 * (1 + len(GAUSSIAN))
    assert written.query("method == 'training mean'")["energy_std"].isna().all()


def test_joined_fits_have_all_rows():
    rows = [pd.DataFrame({"method": [name]}) for name in "ab"]
    both = join([Fit(row, row, costs=row) for row in rows])
    for table in (both.predictions, both.choices, both.costs):
        assert table["method"].tolist() == ["a", "b"]
    assert both.sweep.empty
