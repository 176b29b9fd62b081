"""Sums over training atoms against sums pair by pair, their gradients against differences."""

import numpy as np
import pytest
import tolerances as tol

from mekrr.features.store import FrameFeatures
from mekrr.kernels import expansion
from mekrr.kernels.atom import KERNELS
from mekrr.kernels.engine.coordinates import Coordinates
from mekrr.kernels.expansion import expansion_of
from mekrr.kernels.gram import species_gram
from mekrr.kernels.weights import Shares, Weights

SIGMA = 1.7
STEP = 1e-5
FORMULAS = {  # of h · h' and of r = |h - h'|/σ
    "gaussian": lambda _, r: np.exp(-0.5 * r**2),
    "matern5": lambda _, r: (1 + np.sqrt(5) * r + 5 * r**2 / 3) * np.exp(-np.sqrt(5) * r),
    "matern3": lambda _, r: (1 + np.sqrt(3) * r) * np.exp(-np.sqrt(3) * r),
    "linear": lambda product, _: product,
}


@pytest.fixture(params=["mixed", "own species"])
def weights(request, ragged, rng):
    """Of training atoms for all atoms and for those of their species, or for the latter alone."""
    every, same = rng.normal(size=(2, len(ragged.species)))
    return Weights(every if request.param == "mixed" else 0.0 * every, same)


@pytest.fixture
def frame(ragged, rng):
    """Atoms out of order, of three of the four species, some close to training atoms."""
    species = np.array([29, 6, 29, 1, 29])
    near = [np.flatnonzero(ragged.species == s)[0] for s in species]
    features = ragged.features[near] + 0.2 * rng.normal(size=(5, ragged.features.shape[1]))
    return features.astype(np.float32), species


def brute_force(training, name, weights, features, species, shares):
    """The sum of each atom, pair by pair."""
    atoms = []
    for h, s in zip(features.astype(float), species.tolist(), strict=True):
        g = training.features.astype(float)
        k = FORMULAS[name](g @ h, np.linalg.norm(g - h, axis=1) / SIGMA)
        own = training.species == s
        atoms.append(k @ (shares.every * weights.every + shares.same[s] * own * weights.same))
    return np.array(atoms)


def differences(total, features):
    """Central differences of a function of features (n, d), entry by entry."""
    slopes = np.zeros(features.shape)
    for entry in np.ndindex(features.shape):
        ahead, behind = features.astype(float), features.astype(float)
        ahead[entry] += STEP
        behind[entry] -= STEP
        slopes[entry] = (total(ahead) - total(behind)) / (2 * STEP)
    return slopes


@pytest.mark.parametrize("extensive", [True, False], ids=["extensive", "intensive"])
@pytest.mark.parametrize("name", KERNELS)
def test_sums_and_gradients_are_those_of_brute_force(name, extensive, ragged, frame, weights):
    features, species = frame
    shares = Shares.of(species, extensive)
    assert shares.every == (1.0 if extensive else 0.2)
    assert shares.same[29] == pytest.approx(1.0 if extensive else 1 / 3)

    def atoms(at):
        return brute_force(ragged, name, weights, at, species, shares)

    expected, slopes = atoms(features), differences(lambda at: atoms(at).sum(), features)
    kernel = KERNELS[name](SIGMA)
    for dtype, of_atoms, of_slopes in (
        (np.float64, tol.PEER, tol.EXPANSION_GRADIENT),
        (np.float32, tol.EXPANSION_FLOAT32, tol.GRADIENT_FLOAT32),
    ):
        found = expansion_of(ragged, kernel, weights, dtype=dtype).at(features, species, shares)
        assert found.gram is None
        np.testing.assert_allclose(
            found.atoms, expected, rtol=0, atol=of_atoms * np.abs(expected).max()
        )
        np.testing.assert_allclose(
            found.gradient, slopes, rtol=0, atol=of_slopes * np.abs(slopes).max()
        )


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_with_training_frames_are_the_gram_matrix(name, ragged, frame, weights):
    """They come with the same sums as without."""
    features, species = frame
    kernel, shares = KERNELS[name](SIGMA), Shares.of(species, True)
    one = FrameFeatures(features, species, np.array([0, len(species)]))
    expected = species_gram(one, ragged, kernel, dtype=np.float64)
    sums = expansion_of(ragged, kernel, weights, dtype=np.float64)
    with_gram, without = (sums.at(features, species, shares, gram=gram) for gram in (True, False))
    np.testing.assert_allclose(with_gram.gram.k0, expected.k0, rtol=tol.GRAM_FLOAT64)
    for s, share in expected.shares.items():
        np.testing.assert_allclose(with_gram.gram.shares[s], share, rtol=tol.GRAM_FLOAT64)
    np.testing.assert_allclose(with_gram.atoms, without.atoms, rtol=tol.PEER)
    np.testing.assert_allclose(with_gram.gradient, without.gradient, rtol=0, atol=tol.PEER)


@pytest.mark.parametrize("name", ["gaussian", "matern3"])
def test_blocks_add_up(name, ragged, frame, weights, monkeypatch):
    features, species = frame
    kernel, shares = KERNELS[name](SIGMA), Shares.of(species, True)
    whole = expansion_of(ragged, kernel, weights, dtype=np.float64)
    monkeypatch.setattr(expansion, "COLUMNS", 2)
    parts = expansion_of(ragged, kernel, weights, dtype=np.float64)
    one, other = (sums.at(features, species, shares, gram=True) for sums in (whole, parts))
    np.testing.assert_allclose(one.atoms, other.atoms, rtol=0, atol=tol.PEER)
    np.testing.assert_allclose(one.gradient, other.gradient, rtol=0, atol=tol.PEER)
    np.testing.assert_allclose(one.gram.k0, other.gram.k0, rtol=tol.PEER)


@pytest.mark.parametrize("name", ["gaussian", "matern5", "matern3"])
def test_wide_features_in_few_directions(name, rng):
    """Atoms are multiplied in these; the gradient has all directions, for atoms beyond them too."""
    species = np.tile([29, 29, 8, 1], 100)
    directions = np.linalg.qr(rng.normal(size=(96, 5)))[0]
    rows = (2.0 * rng.normal(size=(400, 5)) @ directions.T).astype(np.float32)
    training = FrameFeatures(rows, species, np.arange(0, 401, 4))
    assert Coordinates.of([training], SIGMA, np.float32).width < 10
    weights = Weights(*rng.normal(size=(2, 400)))
    inside = rows[:4] + (0.1 * rng.normal(size=(4, 5)) @ directions.T).astype(np.float32)
    beyond = (inside + 0.1 * rng.normal(size=inside.shape)).astype(np.float32)
    shares = Shares.of(species[:4], True)
    for features in (inside, beyond):
        fast, exact = (
            expansion_of(training, KERNELS[name](SIGMA), weights, dtype=dtype).at(
                features, species[:4], shares
            )
            for dtype in (np.float32, np.float64)
        )
        scale, slope = np.abs(exact.atoms).max(), np.abs(exact.gradient).max()
        np.testing.assert_allclose(
            fast.atoms, exact.atoms, rtol=0, atol=tol.EXPANSION_FLOAT32 * scale
        )
        np.testing.assert_allclose(
            fast.gradient, exact.gradient, rtol=0, atol=tol.GRADIENT_FLOAT32 * slope
        )
