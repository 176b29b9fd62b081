"""Selection on validation frames, baselines, and the tables of a fit."""

import numpy as np
import pandas as pd
import pytest

from mekrr.baselines import linear_ridge, training_mean, untouched_gnn
from mekrr.errors import SolveError
from mekrr.evaluation import error_per_atom, largest_errors, metrics
from mekrr.features.store import FrameFeatures
from mekrr.fits import Problem, fit_kernels
from mekrr.kernels.atom import Gaussian
from mekrr.kernels.gram import SpeciesGram, own_gram, train_gram
from mekrr.kernels.store import LayerKernel, read_kernels, write_kernels
from mekrr.selection import alpha_grid, choose, regularisation_grid


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


def test_linear_ridge_recovers_a_linear_energy(problem, features):
    fit = linear_ridge(problem, {2: features}, regularisation_grid(1e-12, 1e-2, 6), "b")
    error = error_per_atom(fit.predictions)
    assert error.abs().max() < 1e-3
    assert fit.choices.loc[0, "method"] == "linear ridge"


def test_gaussian_fit_beats_the_mean(problem, features):
    train = problem.members("train")
    gram, own = train_gram(features, train, Gaussian(3.0)), own_gram(features, Gaussian(3.0))
    fit = fit_kernels(
        problem,
        {1: LayerKernel(gram, own, 3.0), 2: LayerKernel(SpeciesGram(gram.k0, {}), own, 3.0)},
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
    gram = SpeciesGram(rng.normal(size=(4, 3)), {s: rng.normal(size=(4, 3)) for s in (1, 29)})
    own = SpeciesGram(rng.normal(size=4), {1: rng.normal(size=4), 29: rng.normal(size=4)})
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
