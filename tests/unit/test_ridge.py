"""The solver and the path over λ against dense algebra and scikit-learn."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tolerances as tol
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.kernel_ridge import KernelRidge as SklearnKernelRidge

from mekrr.errors import JitterWarning, SolveError
from mekrr.models.lapack import Tridiagonal
from mekrr.models.ridge import KernelRidge, RidgePath, factorise

LAMBDA = 1e-6


@pytest.fixture
def points(rng):
    return rng.normal(size=(30, 3)), rng.normal(size=(7, 3))


@pytest.fixture
def problem(points):
    x, new = points
    kernel = RBF(1.0)
    return kernel(x), kernel(new, x), -63893.0 + np.sin(x).sum(axis=1)


def test_parity_with_sklearn(problem):
    kernel, new, energy = problem
    ours = KernelRidge(LAMBDA).fit(kernel, energy).predict(new)
    mean, scale = energy.mean(), energy.std()
    peer = SklearnKernelRidge(alpha=LAMBDA * len(kernel), kernel="precomputed")
    theirs = mean + scale * peer.fit(kernel, (energy - mean) / scale).predict(new)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tol.PEER * scale * 100)


def test_solution_satisfies_the_system(problem):
    kernel, _, energy = problem
    c = KernelRidge(LAMBDA).fit(kernel, energy).coefficients_
    residual = kernel @ c + LAMBDA * len(kernel) * c - (energy - energy.mean()) / energy.std()
    assert np.abs(residual).max() < 1e-9


def test_path_equals_single_fits(problem):
    kernel, new, energy = problem
    lambdas = np.logspace(-8, -1, 5)
    path = RidgePath(kernel, energy).predict(new, lambdas)
    for row, regularisation in zip(path, lambdas, strict=True):
        single = KernelRidge(regularisation).fit(kernel, energy).predict(new)
        np.testing.assert_allclose(row, single, rtol=0, atol=1e-6)


def test_leave_one_out_equals_refits(problem):
    kernel, _, energy = problem
    lambdas = np.array([1e-6, 1e-3])
    found = RidgePath(kernel, energy).leave_one_out(lambdas)
    standard = (energy - energy.mean()) / energy.std()
    for row, regularisation in zip(found, lambdas, strict=True):
        shift = regularisation * len(energy) * np.eye(len(energy) - 1)
        for i in range(len(energy)):
            others = np.arange(len(energy)) != i
            c = np.linalg.solve(kernel[np.ix_(others, others)] + shift, standard[others])
            refit = kernel[i, others] @ c
            assert abs((row[i] - energy.mean()) / energy.std() - refit) < tol.PEER


def test_path_equals_an_eigendecomposition(rng):
    """Down to the smallest λ of the default grid, on a kernel of full rank."""
    points = rng.normal(size=(150, 20))
    full, target = RBF(4.0)(points), points[:, 0] - 63893.0
    train, new = full[:100, :100], full[100:, :100]
    lambdas = np.geomspace(1e-11, 1e-3, 9)
    values, vectors = np.linalg.eigh(train)
    mean, scale = target[:100].mean(), target[:100].std()
    inverse = 1.0 / (values + 100 * lambdas[:, None])
    c = (inverse * (vectors.T @ ((target[:100] - mean) / scale))) @ vectors.T
    diagonal = inverse @ np.square(vectors).T
    path = RidgePath(train, target[:100])
    expected = mean + scale * c @ new.T
    np.testing.assert_allclose(path.predict(new, lambdas), expected, rtol=0, atol=tol.SELECTION)
    expected = target[:100] - scale * c / diagonal
    np.testing.assert_allclose(path.leave_one_out(lambdas), expected, rtol=0, atol=tol.SELECTION)


def test_path_with_another_target_is_a_path_of_its_own(problem):
    kernel, new, energy = problem
    lambdas = np.array([1e-6, 1e-3])
    other = RidgePath(kernel, energy).with_target(np.cos(energy))
    fresh = RidgePath(kernel, np.cos(energy))
    np.testing.assert_array_equal(other.predict(new, lambdas), fresh.predict(new, lambdas))
    np.testing.assert_array_equal(other.leave_one_out(lambdas), fresh.leave_one_out(lambdas))


@pytest.mark.parametrize("n", [1, 2, 3, 9, 70])
def test_tridiagonal_reduction(rng, n):
    matrix = rng.normal(size=(n, n))
    matrix = matrix + matrix.T
    with ThreadPoolExecutor(4) as pool:  # many at once, as they are used
        reduced, *others = pool.map(Tridiagonal, [matrix] * 8)
    q = reduced.columns().T
    t = np.diag(reduced.diagonal)
    if n > 1:
        t += np.diag(reduced.beside, 1) + np.diag(reduced.beside, -1)
    np.testing.assert_allclose(q @ q.T, np.eye(n), rtol=0, atol=1e-12)
    np.testing.assert_allclose(q @ t @ q.T, matrix, rtol=0, atol=1e-12)
    vectors = rng.normal(size=(200, n))
    np.testing.assert_allclose(reduced.rotate(vectors), vectors @ q.T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(reduced.rotate(vectors, back=True), vectors @ q, rtol=0, atol=1e-12)
    for other in others:
        np.testing.assert_array_equal(other.diagonal, reduced.diagonal)


def test_path_marks_an_indefinite_system():
    path = RidgePath(np.diag([1.0, 1.0, -1e-3]), np.arange(3.0))
    lambdas = np.array([1e-9, 1.0])
    for energies in (path.predict(np.eye(3), lambdas), path.leave_one_out(lambdas)):
        assert np.isnan(energies[0]).all()
        assert np.isfinite(energies[1]).all()


def test_std_of_a_gaussian_process(points, problem):
    """Against scikit-learn's, which leaves out the noise of a new observation."""
    (x, new), (kernel, rows, energy) = points, problem
    model = KernelRidge(1e-3).fit(kernel, energy)
    noise = 1e-3 * len(x)
    peer = GaussianProcessRegressor(
        ConstantKernel(model.variance_) * RBF(1.0), alpha=model.variance_ * noise, optimizer=None
    )
    peer.fit(x, (energy - energy.mean()) / energy.std())
    mean, function = peer.predict(new, return_std=True)
    theirs = energy.std() * np.sqrt(function**2 + model.variance_ * noise)
    np.testing.assert_allclose(model.std(rows, np.ones(7)), theirs, rtol=tol.PEER)
    np.testing.assert_allclose(
        model.predict(rows), energy.mean() + energy.std() * mean, rtol=0, atol=1e-8
    )


def test_scale_of_the_gaussian_process_is_the_likeliest(points, problem):
    (x, _), (kernel, _, energy) = points, problem
    best = KernelRidge(1e-3).fit(kernel, energy).variance_

    def likelihood(variance):
        peer = GaussianProcessRegressor(
            ConstantKernel(variance) * RBF(1.0), alpha=variance * 1e-3 * len(x), optimizer=None
        )
        peer.fit(x, (energy - energy.mean()) / energy.std())
        return peer.log_marginal_likelihood_value_

    assert likelihood(best) > max(likelihood(0.99 * best), likelihood(1.01 * best))


def test_std_at_a_training_frame_is_the_noise(problem):
    """Where the kernel is known exactly, nothing else is left; rounding must not yield NaN."""
    kernel, _, energy = problem
    model = KernelRidge(1e-12).fit(kernel, energy)
    std = model.std(kernel, np.diag(kernel) - 1e-9)
    np.testing.assert_allclose(std, energy.std() * np.sqrt(model.variance_ * 30e-12))


def test_jitter_is_bounded_and_stated():
    near = np.ones((3, 3)) - 1e-10 * np.eye(3)
    with pytest.warns(JitterWarning, match=r"added .* to its diagonal"):
        factorise(near, 0.0)
    with pytest.raises(SolveError, match="stays indefinite"):
        factorise(np.diag([1.0, 1.0, -1.0]), 0.0)


@pytest.mark.parametrize("method", [KernelRidge(1.0).fit, RidgePath])
def test_nan_is_diagnosed_first(method):
    with pytest.raises(SolveError, match="not finite; check the features"):
        method(np.full((2, 2), np.nan), np.zeros(2))
    with pytest.raises(SolveError, match="not finite; check the energies"):
        method(np.eye(2), np.array([0.0, np.inf]))


def test_constant_energies_are_predicted():
    model = KernelRidge(LAMBDA).fit(np.eye(4), np.full(4, -7.0))
    np.testing.assert_allclose(model.predict(np.ones((2, 4))), -7.0)


@pytest.mark.parametrize("n", [1, 5])
def test_nothing_is_sure_after_a_constant_target(n):
    """Neither one frame nor equal energies say how far others may be."""
    kernel = np.eye(n)
    model = KernelRidge(LAMBDA).fit(kernel, np.full(n, -63893.1))
    assert model.variance_ == 0.0
    assert np.isinf(model.std(kernel, np.ones(n))).all()
