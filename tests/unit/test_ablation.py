"""Ablations: each change against kernels computed by brute force, and the table."""

import numpy as np
import pandas as pd
import pytest
from tolerances import GRAM_FLOAT32, PEER

from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Gaussian
from mekrr.kernels.training import training_gram
from mekrr.metrics import metrics
from mekrr.models.problem import Problem
from mekrr.models.ridge import KernelRidge
from mekrr.study.experiments.ablation import ablation, summed
from mekrr.study.experiments.kernel_fits import Grid, fit_kernels
from mekrr.study.methods import METHODS, methods_of
from mekrr.study.tables.ablation import BY, ERRORS, LAYOUT, grids, over_seeds
from mekrr.study.tables.printing.grid import FEWER

SPLIT = np.repeat(["train", "val", "test"], [30, 10, 10])
REGULARISATIONS = np.array([1e-8, 1e-4])
GRID = Grid(np.array([0.0, 0.5]), REGULARISATIONS)


def layer_kernel(frames, train, sigma=2.0):
    return training_gram(frames, train, Gaussian(sigma))[0]


@pytest.fixture
def features(rng):
    """50 frames of 2 to 5 atoms; the second layer is noise."""
    numbers = [rng.permutation([29, 8, 29, 1, 29])[: 2 + k % 4] for k in range(50)]
    pointer = np.cumsum([0, *map(len, numbers)])
    species = np.concatenate(numbers)
    return {
        layer: FrameFeatures(rng.normal(size=(len(species), 3)), species, pointer)
        for layer in (1, 2)
    }


@pytest.fixture
def problem(features):
    frames = features[1]
    of_atoms = np.sin(frames.features @ [0.8, -0.5, 0.3])
    energy = np.add.reduceat(of_atoms, frames.pointer[:-1])
    table = pd.DataFrame({"index": range(50), "frame": range(50), "n_atoms": frames.n_atoms})
    return Problem(table.assign(formula="Cu", energy=energy), SPLIT, np.zeros(50))


@pytest.fixture
def kernels(features):
    return {layer: layer_kernel(frames, np.arange(30)) for layer, frames in features.items()}


@pytest.fixture
def table(problem, kernels, features):
    return ablation(problem, kernels, features, methods_of("ablation"), GRID, [0.5], "net")


def pick(table, factor, setting, method="MEKRR"):
    found = table[
        (table["factor"] == factor) & (table["setting"] == setting) & (table["method"] == method)
    ]
    assert len(found) == 1
    return found.iloc[0]


def test_the_base_is_the_fit_of_the_study(table, problem, kernels):
    fit = fit_kernels({"references": problem}, kernels, [METHODS["MEKRR"]], GRID, "net")
    layer = int(fit.choices.loc[fit.choices["chosen"], "layer"].iloc[0])
    test = fit.predictions[
        (fit.predictions["split"] == "test") & (fit.predictions["layer"] == layer)
    ]
    expected = metrics(test, ["method"]).loc[0, "rmse"]
    for factor, setting in (
        ("atom kernel", "Gaussian"),
        ("lengthscale", "median"),
        ("aggregation", "mean"),
        ("layer", str(layer)),
    ):
        row = pick(table, factor, setting)
        assert row["test_rmse"] == pytest.approx(expected, rel=PEER)
        assert row["layer"] == layer


def test_every_factor_has_its_settings(table):
    settings = table.groupby("factor")["setting"].unique().map(set).to_dict()
    assert settings == {
        "layer": {"1", "2"},
        "atom kernel": {"Gaussian", "Matérn 5/2", "Matérn 3/2", "linear"},
        "lengthscale": {"median", "0.5 × median"},
        "aggregation": {"mean", "sum"},
        "λ": {"1e-08", "1e-04"},
    }
    assert (table.groupby(["factor", "setting"])["method"].nunique() == 2).all()
    assert (table.loc[table["method"] == "MEKRR", "alpha"] == 0).all()


def test_half_the_lengthscale_is_a_kernel_of_that_lengthscale(table, problem, features):
    layer = int(pick(table, "lengthscale", "median")["layer"])
    kernel = layer_kernel(features[layer], np.arange(30), 1.0)
    fit = fit_kernels({"references": problem}, {layer: kernel}, [METHODS["MEKRR"]], GRID, "net")
    test = fit.predictions[fit.predictions["split"] == "test"]
    expected = metrics(test, ["method"]).loc[0, "rmse"]
    assert pick(table, "lengthscale", "0.5 × median")["test_rmse"] == pytest.approx(expected)


def test_fixed_regularisation_is_a_fit_at_that_value(table, problem, kernels):
    row = pick(table, "λ", "1e-04")
    full = kernels[int(row["layer"])].k0
    predicted = KernelRidge(1e-4).fit(full[:30], problem.residual[:30]).predict(full)
    errors = 1000 * (predicted - problem.energy) / problem.n_atoms
    for part, column in (("val", "validation_rmse"), ("test", "test_rmse")):
        expected = np.sqrt(np.mean(errors[part == SPLIT] ** 2))
        assert row[column] == pytest.approx(expected, rel=PEER)


def test_sums_over_pairs_of_atoms_by_brute_force(features):
    """Frames of different sizes: n n' K_0 and n_s n'_s times each share are plain sums."""
    frames, train = features[1], np.array([0, 3, 7])
    found = summed(layer_kernel(frames, train), frames, train)
    unit = np.mean(frames.n_atoms[train] ** 2.0)
    atoms = [slice(*frames.pointer[t : t + 2]) for t in range(len(frames))]

    def pairs(a, b):
        h, g = frames.features[atoms[a]], frames.features[atoms[b]]
        values = np.exp(-np.square(h[:, None] - g[None]).sum(axis=2) / (2 * 2.0**2))
        return values, frames.species[atoms[a]][:, None] == frames.species[atoms[b]][None]

    for row in (0, 5, 11):
        own, same = pairs(row, row)
        np.testing.assert_allclose(found.self_kernel.k0[row], own.sum() / unit, rtol=GRAM_FLOAT32)
        np.testing.assert_allclose(
            found.self_kernel.k1[row], own[same].sum() / unit, rtol=GRAM_FLOAT32
        )
        for column, frame in enumerate(train):
            values, same = pairs(row, frame)
            assert found.k0[row, column] == pytest.approx(
                values.sum() / unit, rel=10 * GRAM_FLOAT32
            )
            assert found.k1[row, column] == pytest.approx(
                values[same].sum() / unit, rel=10 * GRAM_FLOAT32
            )


def test_equal_sizes_make_sum_and_mean_the_same_for_mekrr(rng):
    frames = FrameFeatures(rng.normal(size=(40, 3)), np.tile([29, 8], 20), np.arange(21) * 2)
    kernel = layer_kernel(frames, np.arange(12))
    found = summed(kernel, frames, np.arange(12))
    np.testing.assert_allclose(found.k0, kernel.k0)
    np.testing.assert_allclose(found.k1, kernel.k1 / 4)


def test_table_over_seeds(table):
    labels = {"dataset": "d", "backbone": "net"}
    both = pd.concat(
        [
            table.assign(seed=0, **labels),
            table.assign(seed=1, test_rmse=table["test_rmse"] + 2.0, **labels),
        ]
    )
    both.loc[(both["factor"] == "λ") & (both["seed"] == 1), ["validation_rmse", "test_rmse"]] = (
        np.nan
    )
    summary = over_seeds(both, ERRORS, BY)
    row = pick(summary, "aggregation", "sum")
    assert row["test_rmse"] == pytest.approx(pick(table, "aggregation", "sum")["test_rmse"] + 1.0)
    assert row["test_rmse_std"] == pytest.approx(2**0.5)
    grid, _ = grids(
        summary, LAYOUT, {"d": "D"}, {"net": "Net"}, {"MEKRR": "MEKRR", "MEKRR-alpha": "α"}
    )
    assert grid.groups == (("D, Net", ("validation", "test")),)
    assert [row.stub[0] for row in grid.rows].count("λ") == 2
    assert ("atom kernel", "Gaussian (as in the study)") in [row.stub for row in grid.rows]
    for factor in ("layer", "atom kernel", "lengthscale", "aggregation"):
        block = [row for row in grid.rows if row.stub[0] == factor]
        for column in range(2):
            assert any(row.cells[column].best for row in block)
    assert all(row.cells[1].mark for row in grid.rows if row.stub[0] == "λ")


def test_a_setting_that_lacks_a_seed_is_not_the_best(table):
    """Its mean may lack the hard seed."""
    both = pd.concat([table.assign(seed=seed, dataset="d", backbone="net") for seed in (0, 1)])
    of_setting = (both["factor"] == "lengthscale") & (both["setting"] == "median")
    both.loc[of_setting, "test_rmse"] = 1e-3
    both.loc[of_setting & (both["seed"] == 1), "test_rmse"] = np.nan
    grid, _ = grids(
        over_seeds(both, ERRORS, BY),
        LAYOUT,
        {"d": "D"},
        {"net": "Net"},
        {"MEKRR": "MEKRR", "MEKRR-alpha": "α"},
    )
    block = {row.stub[1]: row.cells[1] for row in grid.rows if row.stub[0] == "lengthscale"}
    fewer = block.pop("median (as in the study)")
    assert fewer.value == "0.00"
    assert (fewer.mark, fewer.best) == (FEWER, False)
    assert any(cell.best for cell in block.values())
