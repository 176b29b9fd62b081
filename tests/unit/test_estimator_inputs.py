"""What the estimator is given: what it means, and what is refused, in scikit-learn's manner."""

import numpy as np
import pandas as pd
import pytest
import torch
from ase import Atoms
from repulsive import energies
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from mekrr import MEKRR
from mekrr.errors import BackboneError, ConfigError, DataError, InputError
from mekrr.features.store import FrameFeatures
from mekrr.models.inputs import take_validation

NAN = float("nan")
MASK = [True, False, False, True, False, False]
EXPECTED_FAILURES = {
    "check_positive_only_tag_during_fit": "its matrix is no kernel: a SolveError",
    "check_estimators_dtypes": "its matrix is no kernel: a SolveError",
    "check_fit2d_1sample": "one frame is refused with another message",
    "check_dtype_object": "an object without value is an InputError, where a TypeError is asked",
    "check_supervised_y_2d": "energies in a column are refused",
    "check_requires_y_none": "the message is another",
}


@pytest.fixture
def quick():
    """A model of features that chooses nothing."""
    return MEKRR(lengthscale=1.0, regularisation=1e-6)


@pytest.fixture
def kernel(rng):
    """(7, 7), positive definite."""
    x = rng.normal(size=(7, 9))
    return x @ x.T


def refused(error, message, call):
    """Raised in one line of our types."""
    with pytest.raises(error, match=message) as raised:
        call()
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("validation", "expected"),
    [
        (None, None),
        (MASK, [0, 3]),
        (np.array(MASK), [0, 3]),
        (pd.Series(MASK), [0, 3]),
        ([0, 1], [0, 1]),
        ([4, 0], [4, 0]),
        (np.array([4, 0], dtype=np.uint8), [4, 0]),
        (torch.tensor([4, 0]), [4, 0]),
        (range(2, 6, 3), [2, 5]),
        ({3}, [3]),
        (iter([1, 2]), [1, 2]),
        ([-1], [5]),
        ([5, -1, 5, 2], [5, 2]),
    ],
)
def test_validation_is_a_mask_or_indices_as_numpys(validation, expected):
    found = take_validation(validation, 6)
    assert (found if found is None else found.tolist()) == expected


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ([], "names no frame"),
        (np.zeros(6, bool), "names no frame"),
        (MASK[:5], "a mask of 5 frames, but there are 6"),
        ([99], "names frame 99, but there are 6, from 0 to 5"),
        ([-7], "names frame -7"),
        ([2**70], "it holds int"),
        ([0.0, 1.0], "it holds float64"),
        ([True, 2], "mask of True and False, or indices"),
        (["a"], "it holds str"),
        ("test", "'test' is neither"),
        (3, "3 is neither"),
        (np.array(3), "is neither"),
        ({0: 1}, "is neither"),
        ([[0, 1]], r"of shape \(1, 2\)"),
        ([[0], [1, 2]], "no array of numbers"),
        (range(6), "no frame is left to be fitted"),
    ],
)
def test_validation_that_is_neither(quick, ragged, validation, message):
    refused(InputError, message, lambda: quick.fit(ragged, np.arange(6.0), validation))


def test_validation_frames_are_not_trained_on(quick, ragged, rng):
    y = 100 * rng.normal(size=6)
    model = quick.set_params(alpha=None, reference_energy="none").fit(ragged, y, [-1, 0, -1])
    np.testing.assert_array_equal(model.train_.features, ragged.select(range(1, 5)).features)
    assert model.criterion_ == "2 validation frames"
    same = clone(model).fit(ragged, y, [True, False, False, False, False, True])
    for column in ("rmse", "mae"):
        np.testing.assert_allclose(same.sweep_[column], model.sweep_[column], rtol=1e-12)


def test_validation_on_isolated_atoms_alone(analytic, frames):
    lone = Atoms("Cu", info={"config_type": "IsolatedAtom"})
    y = [-1.0, *energies(frames)]
    fit = analytic.set_params(layer=1, regularisation=1e-6).fit
    refused(InputError, "isolated atoms only", lambda: fit([lone, *frames], y, [0]))


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"kernel": "cubic"}, ConfigError, "kernel='cubic' is unknown; known: gaussian"),
        ({"kernel": None}, ConfigError, "kernel=None is unknown"),
        ({"kernel": np.array(["linear"])}, ConfigError, "is unknown; known"),
        ({"target": "forces"}, ConfigError, "target='forces' is unknown"),
        ({"target": ["energy"]}, ConfigError, "is unknown"),
        ({"alpha": 1.5}, ConfigError, "alpha=1.5 should be a number from 0 to 1"),
        ({"alpha": NAN}, ConfigError, "alpha=nan should be"),
        ({"alpha": True}, ConfigError, "alpha=True should be"),
        ({"alpha": [0.1]}, ConfigError, "should be a number"),
        ({"regularisation": "1e-3"}, ConfigError, "regularisation='1e-3' should be a number"),
        ({"regularisation": np.inf}, ConfigError, "regularisation=inf should be"),
        ({"regularisation": -1e-9}, ConfigError, "should be a number from 0"),
        ({"lengthscale": 0.0}, ConfigError, "lengthscale=0.0 should be"),
        ({"lengthscale": None}, ConfigError, "lengthscale=None should be"),
        ({"lengthscale": "mean"}, ConfigError, "lengthscale='mean' should be"),
        ({"lengthscale": np.ones(2)}, ConfigError, "should be a number"),
        ({"backbone": "nonesuch"}, BackboneError, "unknown backbone 'nonesuch'; known: sev"),
        ({"backbone": None}, ConfigError, "backbone=None should be the name"),
        ({"layer": 7}, BackboneError, "has no layer 7; it has 1, 2"),
        ({"layer": 1.0}, ConfigError, "layer=1.0 should be an integer"),
        ({"layer": "1"}, ConfigError, "should be an integer"),
        ({"target": "delta"}, DataError, "has no energy of its own; use target='energy'"),
        ({"reference_energy": 3}, ConfigError, "reference_energy=3 should be a name"),
        ({"registry": 3}, ConfigError, "registry=3 should be the path of a file"),
        ({"threads": 0}, ConfigError, "threads=0 should be an integer from 1 to 1024"),
        ({"threads": 10**6}, ConfigError, "should be an integer from 1 to 1024"),
        ({"threads": 1.5}, ConfigError, "should be an integer"),
        ({"threads": None}, ConfigError, "should be an integer"),
        ({"atoms": "surface"}, ConfigError, "atoms='surface' is no rule: all, mobile"),
        ({"atoms": None}, ConfigError, "is no rule"),
        ({"atoms": {"species": "Cu"}}, ConfigError, "is no rule"),
        ({"atoms": {"species": ["Qq"]}}, ConfigError, "is no rule"),
        ({"atoms": {"species": ["Cu"], "near": 1}}, ConfigError, "is no rule"),
        ({"atoms": {"within": NAN, "of": ["Cu"]}}, ConfigError, "is no rule"),
        ({"atoms": {"within": 2.0}}, ConfigError, "is no rule"),
    ],
)
def test_impossible_parameters(analytic, frames, parameters, error, message):
    refused(error, message, lambda: analytic.set_params(**parameters).fit(frames))


def test_numbers_of_numpy_are_numbers(quick, ragged):
    quick.set_params(alpha=np.float32(0.5), threads=np.int64(1), lengthscale=np.float64(1))
    assert len(quick.fit(ragged, np.arange(6.0)).predict(ragged)) == 6


def test_impossible_frames(analytic, frames):
    fit = analytic.set_params(layer=1, regularisation=1e-6).fit
    unlabelled = [*frames[:3], frames[3].copy()]
    for X, y, message in (
        (frames[0], None, "X is a Atoms: frames must be a list of ase.Atoms"),
        (np.eye(3), np.zeros(3), "frame 0 is a ndarray: .* a kernel needs kernel='precomputed'"),
        (None, None, "X is a NoneType"),
        (3, None, "X is a int"),
        (np.array(3), None, "X is a ndarray"),
        ("frames.extxyz", None, "X is a str"),
        (dict(enumerate(frames)), None, "X is a dict"),
        ([*frames, "last"], None, "frame 24 is a str"),
        ([frames], None, "frame 0 is a list"),
        ([], None, "no frames; give at least one"),
        (iter([]), None, "no frames"),
        ([Atoms()], [0.0], "frame 0: has no atoms"),
        (unlabelled, None, "frame 3: has no energy"),
        (frames, np.zeros(3), r"24 frames, but y of shape \(3,\)"),
        (frames, np.zeros((24, 1)), r"y of shape \(24, 1\); give one energy each"),
        (frames, 1.0, r"y of shape \(\)"),
        (frames, np.full(24, NAN), "frame 0: energy is nan"),
        (frames, [0.0] * 23 + [np.inf], "frame 23: energy is inf"),
    ):
        refused(DataError, message, lambda X=X, y=y: fit(X, y))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "features without energies; give them as y"),
        (["-1.0"] * 6, "y holds str"),
        (np.array(["-1.0"] * 6, dtype=object), "y holds str"),
        ([True] * 6, "y holds bool"),
        ([1.0, None] * 3, "y holds NoneType and float"),
        (pd.Series([1.0, pd.NA] * 3), "y holds NAType and float"),
        (np.ones(6, complex), "y: Complex data not supported"),
        (np.array(["2026-01-01"] * 6, dtype="M8[D]"), "y holds datetime64"),
        ([[1.0], [2.0, 3.0]] * 3, "y is no array of numbers"),
        (np.ma.masked_equal(np.arange(6.0), 2.0), "y has masked entries"),
        (csr_array(np.ones((1, 6))), "y is sparse"),
        (torch.ones(6, requires_grad=True), "y is no array of numbers"),
        (pd.DataFrame({"energy": np.ones(6)}), r"y of shape \(6, 1\)"),
    ],
)
def test_impossible_energies(quick, ragged, y, message):
    refused(InputError, message, lambda: quick.fit(ragged, y))


def test_energies_of_any_kind(quick, ragged):
    expected = clone(quick).fit(ragged, np.arange(6.0)).predict(ragged)
    shuffled = pd.Series(range(6), index=range(6, 0, -1))
    for y in (shuffled, [*range(6)], np.array([*range(6)], dtype=object), torch.arange(6)):
        np.testing.assert_array_equal(quick.fit(ragged, y).predict(ragged), expected)


def test_impossible_features(quick, ragged):
    h, species, pointer = vars(ragged).values()
    broken = h.copy()
    broken[3, 1] = np.inf
    for change, message in (
        ({"features": h[:-1]}, f"features of {len(h) - 1} atoms, but species of {len(h)}"),
        ({"features": h[0]}, "Reshape your data to 2 axes"),
        ({"features": h[:, :0]}, r"0 feature\(s\)"),
        ({"features": broken}, r"features contains infinity, first at \(3, 1\)"),
        ({"features": h.astype(complex)}, "Complex data"),
        ({"features": h.astype(str)}, "features holds str"),
        ({"species": species.astype(float)}, "species of features should be one-dimensional, of"),
        ({"species": species - 1}, "atomic numbers from 1 to 118"),
        ({"pointer": pointer[:-1]}, "begin with 0 and end with"),
        ({"pointer": pointer[[0, 2, 1, 3, 4, 5, 6]]}, "frame 1: has no atoms"),
        ({"pointer": np.insert(pointer, 2, pointer[2])}, "frame 2: has no atoms"),
    ):
        X = FrameFeatures(**vars(ragged) | change)
        refused(InputError, message, lambda X=X: quick.fit(X, np.zeros(6)))
    narrow = FrameFeatures(h[:, :5], species, pointer)
    refused(InputError, "widths 5, 12", lambda: quick.fit([ragged, narrow], np.zeros(12)))
    quick.fit(ragged, np.arange(6.0))
    refused(InputError, "X has 5 features, but MEKRR is exp", lambda: quick.predict(narrow))
    refused(InputError, "self_kernel goes with", lambda: quick.predict(ragged, True, np.ones(6)))
    delta = MEKRR(target="delta")
    refused(InputError, "needs frames, not features", lambda: delta.fit(ragged, np.zeros(6)))
    same = FrameFeatures(np.ones((4, 2), np.float32), np.ones(4, int), np.arange(5))
    alike = "most atoms of the training frames have the same features"
    refused(DataError, alike, lambda: MEKRR().fit(same, np.zeros(4)))


def test_impossible_kernels(kernel, ragged):
    y, model = np.arange(7.0), MEKRR(kernel="precomputed", regularisation=1e-6)
    skew, broken = kernel.copy(), kernel.copy()
    skew[1, 4] += 1e-3
    broken[2, 3] = NAN
    for X, message in (
        (kernel[:, :5], r"of shape \(7, 5\) is not between 7 frames"),
        (skew, "not symmetric: .* in row 1, column 4"),
        (broken, r"contains NaN, first at \(2, 3\)"),
        (kernel[0], "Reshape your data"),
        (kernel * 1j, "Complex data not supported"),
        (kernel.astype(str), "kernel holds str"),
        (csr_array(kernel), "kernel is sparse"),
        (np.zeros((0, 0)), r"0 sample\(s\)"),
        (ragged, "kernel is a FrameFeatures"),
        ([Atoms("H")] * 7, "kernel holds Atom"),
        (iter(kernel), "kernel holds iterator"),
    ):
        refused(InputError, message, lambda X=X: model.fit(X, y))
    expected = clone(model).fit(kernel, y).predict(kernel)
    np.testing.assert_array_equal(model.fit(pd.DataFrame(kernel), y).predict(kernel), expected)
    refused(InputError, "X has 6 features, but MEKRR", lambda: model.predict(kernel[:, :6]))
    refused(InputError, "needs `self_kernel`", lambda: model.predict(kernel, return_std=True))
    for own, message in (
        (np.ones(6), r"7 frames, but self_kernel of shape \(6,\)"),
        (np.full(7, -1.0), r"self_kernel\[0\] is -1.0"),
        (["1"] * 7, "self_kernel holds str"),
    ):
        refused(InputError, message, lambda own=own: model.predict(kernel, True, own))


def test_impossible_weights(kernel):
    model = MEKRR(kernel="precomputed", regularisation=1e-6).fit(kernel, np.arange(7.0))
    assert model.score(kernel, np.arange(7.0), [1, 1, 1, 1, 0, 0, 0]) <= 1.0
    for weights, message in (
        ([1.0] * 6, r"sample_weight of shape \(6,\)"),
        ([-1.0] * 7, r"sample_weight\[0\] is -1.0; give finite numbers from 0"),
        ([NAN] * 7, r"sample_weight\[0\] is nan"),
        ([0.0] * 7, "sample_weight is 0 for all frames"),
        ("many", "sample_weight holds str"),
    ):
        refused(InputError, message, lambda w=weights: model.score(kernel, np.arange(7.0), w))


def test_impossible_predictions(analytic, frames, ragged):
    model = analytic.set_params(layer=1, regularisation=1e-6).fit(frames)
    new = frames[0].copy()
    new.symbols[0] = "Ni"
    refused(DataError, "frame 1: no training frame has Ni", lambda: model.predict([frames[0], new]))
    refused(InputError, "fitted to frames, not features", lambda: model.predict(ragged))
    new.positions[1] = new.positions[0]
    refused(DataError, "frame 0: atoms 0 and 1 are at the same", lambda: model.predict([new]))
    refused(InputError, "X is a Atoms", lambda: model.predict(frames[0]))


def test_frames_of_any_iterable(analytic, frames):
    analytic.set_params(layer=1, regularisation=1e-6)
    expected = clone(analytic).fit(frames).predict(frames)
    for given in (iter, tuple, lambda many: (atoms for atoms in many)):
        model = clone(analytic).fit(given(frames))
        np.testing.assert_array_equal(model.predict(given(frames)), expected)
        assert model.score(given(frames)) == model.score(frames, energies(frames))


def test_features_frame_by_frame(quick, ragged):
    """As scikit-learn's folds have them."""
    y = np.arange(6.0)
    expected = clone(quick).fit(ragged, y).predict(ragged)
    np.testing.assert_array_equal(quick.fit(list(ragged), y).predict(iter(ragged)), expected)


def test_search_and_cross_validation(analytic, frames, kernel):
    """Over frames, features and kernels, which are cut in rows and columns."""
    y, grid = energies(frames), {"alpha": [0.0, 1.0]}
    analytic.set_params(layer=1, regularisation=1e-6, lengthscale=1.0)
    of_frames = GridSearchCV(analytic, grid, cv=2, error_score="raise").fit(frames, y)
    assert len(of_frames.predict(frames[:2])) == 2
    features = analytic.fit(frames).train_
    model = MEKRR(regularisation=1e-6, lengthscale=1.0)
    of_features = GridSearchCV(model, grid, cv=2, error_score="raise").fit(features, y)
    assert of_features.best_params_ == of_frames.best_params_
    assert of_features.best_score_ == pytest.approx(of_frames.best_score_, rel=1e-9)
    model = MEKRR(kernel="precomputed", regularisation=1e-6)
    assert np.isfinite(cross_val_score(model, kernel, np.arange(7.0), cv=2)).all()


def test_checks_of_sklearn():
    model = MEKRR(kernel="precomputed", regularisation=1e-3)
    check_estimator(model, expected_failed_checks=EXPECTED_FAILURES, on_skip=None)
