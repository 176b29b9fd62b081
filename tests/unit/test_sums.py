"""Sparse models as torch compiles them, against what numpy makes of them."""

from dataclasses import replace

import numpy as np
import pytest
import tolerances as tol
import torch
from toy import basis_of, toy_features

from mekrr.engines.sums import SparseSum
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import RADIAL
from mekrr.models.sparse.model import SparseModel
from mekrr.models.sparse.solve import prior_root

SETTINGS = [("gaussian", 1.0), ("matern5", 0.4), ("matern3", 0.0), ("matern3", 0.7)]
FRAMES = 12


@pytest.fixture
def features(rng):
    return toy_features(rng).select(range(FRAMES))


@pytest.fixture(params=SETTINGS, ids=lambda pair: "-".join(map(str, pair)))
def model(request, features, rng):
    kernel, alpha = request.param
    basis = basis_of(features, alpha, kernel)
    n = len(basis)
    triangle = np.triu(rng.normal(size=(n, n))) + 5.0 * np.eye(n)
    prior = prior_root(basis.gram())
    return SparseModel(basis, rng.normal(size=n), triangle, prior, 2.0, 1e-3, 0.05, 0.3, (1.7, 1.2))


def tensors(features):
    return torch.from_numpy(features.features), torch.from_numpy(features.species)


def test_every_kernel_is_met():
    assert {kernel for kernel, _ in SETTINGS} == set(RADIAL)


def test_energies_and_gradients(model, features):
    """Of all atoms, a third of which are inducing atoms: there a distance is 0."""
    h, species = tensors(features)
    h.requires_grad_()
    energies = torch.jit.script(SparseSum(model, std=False))(h, species)
    (gradient,) = torch.autograd.grad(energies.sum(), h)
    expected, slopes = model.basis.at(features.features, features.species, model.coefficients)
    np.testing.assert_allclose(energies.detach(), expected, rtol=0, atol=tol.SPARSE)
    np.testing.assert_allclose(gradient, slopes, rtol=0, atol=tol.SPARSE_SLOPE)


def test_float32(model, features):
    single = replace(features, features=features.features.astype(np.float32))
    energies = SparseSum(model, std=False)(*tensors(single))
    expected, _ = model.basis.at(features.features, features.species, model.coefficients)
    scale = np.abs(model.coefficients).sum()
    np.testing.assert_allclose(energies, expected, rtol=0, atol=tol.SPARSE_FLOAT32 * scale)


def test_variances_of_frames(model, features):
    n_atoms = features.n_atoms + np.arange(FRAMES) % 3  # some enter no kernel
    group = torch.from_numpy(np.repeat(np.arange(FRAMES), features.n_atoms))
    found = torch.jit.script(SparseSum(model, std=True)).variances(
        *tensors(features), group, torch.from_numpy(n_atoms.astype(float))
    )
    expected = model.energy_variances(features, n_atoms)
    np.testing.assert_allclose(found, expected, rtol=tol.PEER)


def test_variances_of_atoms(model, features):
    """Each is that of a frame of one atom; of one that enters no kernel it is the noise's."""
    n = len(features.species)
    found = SparseSum(model, std=True).variances(
        *tensors(features), torch.arange(n), torch.ones(n + 1, dtype=torch.float64)
    )
    atoms = FrameFeatures(features.features, features.species, np.arange(n + 1))
    expected = model.energy_variances(atoms, np.ones(n))
    np.testing.assert_allclose(found[:-1], expected, rtol=tol.PEER)
    assert found[-1].item() == pytest.approx((1.7e-3) ** 2)
