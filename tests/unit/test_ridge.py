"""The solver and the path over λ against dense algebra and scikit-learn."""

import numpy as np
import pytest
import tolerances as tol
from sklearn.kernel_ridge import KernelRidge as SklearnKernelRidge

from mekrr.errors import JitterWarning, SolveError
from mekrr.ridge import KernelRidge, RidgePath, solve

LAMBDA = 1e-6


@pytest.fixture
def problem(rng):
    x, new = rng.normal(size=(30, 3)), rng.normal(size=(7, 3))
    distances = ((np.concatenate([x, new])[:, None] - x[None]) ** 2).sum(axis=-1)
    kernel = np.exp(-0.5 * distances)
    energy = -63893.0 + np.sin(x).sum(axis=1)
    return kernel[:30], kernel[30:], energy


def test_parity_with_sklearn(problem):
    kernel, new, energy = problem
    ours = KernelRidge(LAMBDA).fit(kernel, energy).predict(new)
    mean, scale = energy.mean(), energy.std()
    peer = SklearnKernelRidge(alpha=LAMBDA * len(kernel), kernel="precomputed")
    theirs = mean + scale * peer.fit(kernel, (energy - mean) / scale).predict(new)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tol.PEER * scale * 100)


def test_solution_satisfies_the_system(problem):
    kernel, _, energy = problem
    target = energy - energy.mean()
    c = solve(kernel, target, LAMBDA)
    residual = kernel @ c + LAMBDA * len(kernel) * c - target
    assert np.abs(residual).max() < 1e-9


def test_path_equals_single_fits(problem):
    kernel, new, energy = problem
    lambdas = np.logspace(-8, -1, 5)
    path = RidgePath(kernel, energy).predict(new, lambdas)
    for row, regularisation in zip(path, lambdas, strict=True):
        single = KernelRidge(regularisation).fit(kernel, energy).predict(new)
        np.testing.assert_allclose(row, single, rtol=0, atol=1e-6)


def test_path_marks_an_indefinite_system():
    kernel = np.diag([1.0, 1.0, -1e-3])
    path = RidgePath(kernel, np.arange(3.0)).predict(np.eye(3), np.array([1e-9, 1.0]))
    assert np.isnan(path[0]).all()
    assert np.isfinite(path[1]).all()


def test_jitter_is_bounded_and_stated():
    near = np.ones((3, 3)) - 1e-10 * np.eye(3)
    with pytest.warns(JitterWarning, match=r"added .* to its diagonal"):
        solve(near, np.arange(3.0), 0.0)
    with pytest.raises(SolveError, match="stays indefinite"):
        solve(np.diag([1.0, 1.0, -1.0]), np.arange(3.0), 0.0)


def test_nan_is_diagnosed_first():
    with pytest.raises(SolveError, match="not finite; check the features"):
        solve(np.full((2, 2), np.nan), np.zeros(2), 1.0)
    with pytest.raises(SolveError, match="not finite; check the energies"):
        solve(np.eye(2), np.array([0.0, np.inf]), 1.0)


def test_constant_energies_are_predicted():
    model = KernelRidge(LAMBDA).fit(np.eye(4), np.full(4, -7.0))
    np.testing.assert_allclose(model.predict(np.ones((2, 4))), -7.0)
