"""Learning curves: nested subsets, and errors that agree with fits from scratch."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from tolerances import PEER

from mekrr.data.splits import LEAST_VALIDATION, subset
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Gaussian, Linear
from mekrr.kernels.training import training_gram
from mekrr.metrics import metrics
from mekrr.models.problem import Problem
from mekrr.study.experiments.kernel_fits import Grid, fit_kernels
from mekrr.study.experiments.kinds.constant import Models as Constants
from mekrr.study.experiments.kinds.kernel import Models as Kernels
from mekrr.study.experiments.learning import (
    COLUMNS,
    fewer_frames,
    learning_curve,
    with_whole_set,
)
from mekrr.study.methods import methods_of
from mekrr.study.plots.learning import mean_and_range

SPLIT = np.random.default_rng(7).permutation(np.repeat(["train", "val", "test"], [60, 20, 20]))
GRID = Grid(np.array([0.0, 0.1, 1.0]), np.array([1e-6, 1e-3]))
SHOWN = [method.name for method in methods_of("learning")]


@pytest.fixture
def features(rng):
    """100 frames of 3 + 2 atoms."""
    return FrameFeatures(
        rng.normal(size=(500, 4)), np.tile([29, 29, 29, 8, 1], 100), np.arange(101) * 5
    )


@pytest.fixture
def problem(features):
    """The energy is a sum over atoms of a smooth function of their features."""
    of_atoms = np.sin(features.features @ [0.8, -0.5, 0.3, 0.1])
    frames = pd.DataFrame(
        {
            "index": range(100),
            "frame": range(100),
            "n_atoms": 5,
            "formula": "Cu3OH",
            "energy": -50.0 + of_atoms.reshape(100, 5).sum(axis=1),
        }
    )
    return Problem(frames, SPLIT, np.zeros(100))


@pytest.fixture
def gram(features):
    return gaussian(features, np.flatnonzero(SPLIT == "train"))


def gaussian(features, train):
    return training_gram(features, train, Gaussian(2.0), dtype=np.float64)[0]


def shown(kernel):
    return [method for method in methods_of("learning") if method.kernel == kernel]


def curve(problem, gram, features, n_train, gnn_energy=None):
    """Of the methods of the study on frozen features."""
    kind = Kernels(
        methods_of("learning"),
        {2: features},
        gnn_energy,
        {2: gram},
        np.flatnonzero(SPLIT == "train"),
        GRID,
        "least-squares",
        ("mine", "net"),
    )
    return drawn(kind, problem, n_train)


def drawn(kind, problem, n_train):
    return learning_curve(kind.fit, problem, n_train, 3, "least-squares", "mine")


def test_subsets_are_nested_and_keep_the_test_frames():
    sizes = (6, 30, 60)
    small, middle, whole = (subset(SPLIT, n, 0) for n in sizes)
    for part, n in zip((small, middle, whole), sizes, strict=True):
        assert np.count_nonzero(part == "train") == n
        np.testing.assert_array_equal(part == "test", SPLIT == "test")
        np.testing.assert_array_equal(part[part != "unused"], SPLIT[part != "unused"])
    for part in ("train", "val"):
        assert ((small == part) <= (middle == part)).all()
        assert ((middle == part) <= (whole == part)).all()
    np.testing.assert_array_equal(whole, SPLIT)
    assert not np.array_equal(small, subset(SPLIT, 6, 1)), "another seed draws others"


def test_validation_frames_fall_in_proportion_but_never_below_the_least():
    counts = {n: np.count_nonzero(subset(SPLIT, n, 0) == "val") for n in (6, 30, 45, 60)}
    assert counts == {6: LEAST_VALIDATION, 30: LEAST_VALIDATION, 45: 15, 60: 20}


def test_sizes_that_the_frames_do_not_allow_are_left_out(problem, gram, features):
    assert set(curve(problem, gram, features, [60, 12, 500])["n_train"]) == {12}
    nothing = curve(problem, gram, features, [60])
    assert nothing.empty
    assert list(nothing) == COLUMNS


def test_subsets_are_problems_with_references_of_their_own(problem):
    parts = list(fewer_frames(problem, [24, 12, 60], 3, "mean", "mine"))
    assert [len(part.members("train")) for part in parts] == [12, 24]
    for part in parts:
        np.testing.assert_array_equal(part.split, subset(SPLIT, len(part.members("train")), 3))
        assert part.residual[part.members("train")].mean() == pytest.approx(0.0, abs=1e-9)


def test_a_point_of_the_curve_is_a_fit_from_scratch(problem, gram, features):
    """The subset's frames alone, with kernels computed for them, must give the same errors."""
    gnn_energy = problem.energy + 1.0 + 0.1 * np.cos(problem.energy)
    found = curve(problem, gram, features, [24], gnn_energy).set_index(["method", "n_train"])
    part = Problem.of(problem.frames, subset(SPLIT, 24, 3), "least-squares", "mine")
    delta = part.beyond(gnn_energy, "least-squares", "mine")
    problems, train = {"references": part, "delta": delta}, part.members("train")
    fit = partial(fit_kernels, problems, grid=GRID, backbone="net")
    fits = [
        fit({2: gaussian(features, train)}, methods=shown("gaussian")),
        fit({2: training_gram(features, train, Linear())[0]}, methods=shown("linear")),
    ]
    predictions = pd.concat([each.predictions for each in fits])
    test = predictions[predictions["split"] == "test"]
    assert set(test["method"]) == set(SHOWN) - {"untouched GNN"}
    for _, row in metrics(test, ["method"]).iterrows():
        ours = found.loc[(row["method"], 24)]
        assert ours["rmse"] == pytest.approx(row["rmse"], rel=PEER)
        assert ours["mae"] == pytest.approx(row["mae"], rel=PEER)
    shift = (problem.energy - gnn_energy)[train].mean()
    errors = 200.0 * (gnn_energy + shift - problem.energy)[part.members("test")]
    rmse = np.sqrt(np.mean(errors**2))
    assert found.loc[("untouched GNN", 24), "rmse"] == pytest.approx(rmse, rel=PEER)


def test_curve_of_any_model_goes_by_its_fit(problem):
    """The constant predictor's errors by hand."""
    table = drawn(Constants(methods_of("constants")), problem, [24]).set_index("method")
    kept = subset(SPLIT, 24, 3)
    mean, test = problem.energy[kept == "train"].mean(), problem.energy[SPLIT == "test"]
    expected = 200.0 * np.sqrt(np.mean((mean - test) ** 2))
    assert table.loc["training mean", "rmse"] == pytest.approx(expected, rel=PEER)
    assert table.loc["training mean", ["n_train", "n_val"]].tolist() == [24, 10]


def test_the_last_point_is_the_fit_of_the_study():
    keys = {"dataset": "d", "strategy": "random", "seed": 0, "method": "MEKRR", "backbone": "net"}
    parts = [("train", 60, 0.1), ("val", 20, 0.5), ("test", 20, 0.7)]
    errors = pd.DataFrame(
        {**keys, "layer": layer, "split": part, "n_frames": n, "rmse": e, "mae": e / 2, "chosen": c}
        for part, n, e in parts
        for layer, c in ((1, False), (2, True))
    )
    other = errors.assign(method="GAP-SOAP")
    table = pd.DataFrame([keys | {"n_train": 10, "n_val": 10, "rmse": 3.0, "mae": 2.0}])
    found = with_whole_set(table, pd.concat([errors, other]))
    assert found[COLUMNS].to_numpy().tolist() == [
        ["MEKRR", "net", 10, 10, 3.0, 2.0],
        ["MEKRR", "net", 60, 20, 0.7, 0.35],
    ]


def test_more_frames_err_less(problem, gram, features):
    table = curve(problem, gram, features, [6, 20, 55])
    mekrr = table[table["method"] == "MEKRR"].set_index("n_train")["rmse"]
    assert mekrr[55] < mekrr[20] < mekrr[6]


def test_energies_outside_the_subset_play_no_part(problem, gram, features):
    kept = subset(SPLIT, 12, 3)
    spoiled = problem.frames.copy()
    spoiled.loc[kept == "unused", "energy"] += 1000.0
    other = Problem(spoiled, SPLIT, np.zeros(100))
    gnn = problem.energy + 1.0 + 0.1 * np.cos(np.arange(100))
    first, second = (curve(p, gram, features, [12], gnn) for p in (problem, other))
    assert set(first["method"]) == {
        "untouched GNN",
        "linear ridge",
        "MEKRR",
        "MEKRR-alpha",
        "Delta-MEKRR",
    }
    assert set(first["method"]) == set(SHOWN)
    pd.testing.assert_frame_equal(first, second)


def test_last_points_of_other_sizes_are_one_point():
    """By run, seeds differ in the number of training frames: their last points belong together."""
    curves = pd.DataFrame(
        {"seed": [0, 0, 1, 1], "n_train": [280, 10, 10, 300], "error": [1.0, 4.0, 6.0, 3.0]}
    )
    points = mean_and_range(curves)
    assert points["n_train"].tolist() == [10, 290]
    assert points["mean"].tolist() == [5.0, 2.0]
    assert points["least"].tolist() == [4.0, 1.0]
    assert points["largest"].tolist() == [6.0, 3.0]
