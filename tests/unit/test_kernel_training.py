"""Kernels with training frames: the linear kernel's centre and scale by explicit mean features."""

import numpy as np
import pytest
import tolerances as tol

from mekrr.errors import DataError
from mekrr.kernels.atom import Gaussian, Linear
from mekrr.kernels.gram import self_gram, species_gram
from mekrr.kernels.training import Normalisation, new_gram, training_gram

TRAIN = np.array([4, 0, 2, 3])  # of `ragged`; frame 5, of hydrogen alone, and 1 are new
KERNELS = [Linear(), Gaussian(1.7)]
ALPHAS = [0.0, 0.4, 1.0, {1: 0.2, 6: 0.0, 8: 0.7, 29: 1.0}]


def mean_features(frames):
    """Mean feature of each frame over all atoms, and over those of each species, 0 if absent."""
    overall, by_species = [], {s: [] for s in np.unique(frames.species).tolist()}
    for begin, end in zip(frames.pointer[:-1], frames.pointer[1:], strict=True):
        h = frames.features[begin:end].astype(np.float64)
        overall.append(h.mean(axis=0))
        for species, rows in by_species.items():
            own = h[frames.species[begin:end] == species]
            rows.append(own.mean(axis=0) if len(own) else np.zeros(h.shape[1]))
    return np.array(overall), {s: np.array(rows) for s, rows in by_species.items()}


def of_centred_features(frames, train):
    """K_0, shares, and the self-kernels of both, from features centred by the training frames."""
    overall, by_species = mean_features(frames)
    overall = overall - overall[train].mean(axis=0)
    by_species = {s: h - h[train].mean(axis=0) for s, h in by_species.items()}
    scale = np.square(overall[train]).sum(axis=1).mean()
    own_scale = sum(np.square(h[train]).sum(axis=1) for h in by_species.values()).mean()
    shares = {s: h @ h[train].T / own_scale for s, h in by_species.items()}
    own = {s: np.square(h).sum(axis=1) / own_scale for s, h in by_species.items()}
    return overall @ overall[train].T / scale, shares, np.square(overall).sum(axis=1) / scale, own


def test_linear_kernel_is_that_of_centred_and_scaled_mean_features(ragged):
    gram, _ = training_gram(ragged, TRAIN, Linear())
    k0, shares, own, own_shares = of_centred_features(ragged, TRAIN)
    np.testing.assert_allclose(gram.k0, k0, rtol=tol.PEER, atol=1e-12)
    np.testing.assert_allclose(gram.k1, sum(shares.values()), rtol=tol.PEER, atol=1e-12)
    np.testing.assert_allclose(gram.self_kernel.k0, own, rtol=tol.PEER)
    assert set(gram.shares) == set(shares)
    for species, share in shares.items():
        np.testing.assert_allclose(gram.shares[species], share, rtol=tol.PEER, atol=1e-12)
        found = gram.self_kernel.shares[species]
        np.testing.assert_allclose(found, own_shares[species], rtol=tol.PEER, atol=1e-12)
    for part in (gram.k0, gram.k1):
        np.testing.assert_allclose(part[TRAIN].mean(axis=0), 0.0, atol=1e-12)
        assert np.trace(part[TRAIN]) == pytest.approx(len(TRAIN))


@pytest.mark.parametrize("kernel", KERNELS, ids=["linear", "Gaussian"])
def test_new_frames_have_the_kernels_of_the_same_frames_beside_the_training(ragged, kernel):
    """Alone, where no other frame has the species that they lack."""
    gram, normalisation = training_gram(ragged, TRAIN, kernel, dtype=np.float32)
    training, rtol = ragged.select(TRAIN), tol.PEER if normalisation else tol.GRAM_FLOAT32
    for frames in ([1, 5], [5], [0, 4], [2], list(range(6))):
        found = new_gram(ragged.select(frames), training, kernel, normalisation)
        expected = gram.rows(np.array(frames))
        for alpha in ALPHAS:
            for ours, theirs in ((found, expected), (found.self_kernel, expected.self_kernel)):
                np.testing.assert_allclose(ours.at(alpha), theirs.at(alpha), rtol=rtol, atol=1e-12)


def test_species_of_new_frames_alone_adds_nothing(ragged):
    """No share of K_1 is known of it: as if its atoms counted in K_0 alone."""
    train = np.array([0, 1, 3])  # no oxygen
    gram, normalisation = training_gram(ragged, train, Linear())
    alone = new_gram(ragged.select([2]), ragged.select(train), Linear(), normalisation)
    for alpha in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(alone.at(alpha), gram.rows([2]).at(alpha), atol=1e-12)
    assert alone.shares.get(8, np.zeros(1)).max() == pytest.approx(0.0)


def test_gaussian_kernel_is_taken_as_it_is(ragged):
    kernel = Gaussian(1.7)
    gram, normalisation = training_gram(ragged, TRAIN, kernel)
    assert normalisation is None
    assert gram.lengthscale == 1.7
    full = species_gram(ragged, None, kernel)
    np.testing.assert_allclose(gram.k0, full.k0[:, TRAIN], rtol=tol.GRAM_FLOAT32)
    np.testing.assert_allclose(gram.k1, full.k1[:, TRAIN], rtol=tol.GRAM_FLOAT32)
    np.testing.assert_array_equal(gram.self_kernel.k1, self_gram(ragged, kernel).k1)
    assert training_gram(ragged, TRAIN, kernel, own=False)[0].self_kernel is None


def test_normalisation_is_that_of_the_training_frames_alone(ragged, rng):
    """And comes back from arrays."""
    gram, normalisation = training_gram(ragged, TRAIN, Linear())
    own, theirs = training_gram(ragged.select(TRAIN), np.arange(len(TRAIN)), Linear())
    np.testing.assert_allclose(gram.k0[TRAIN], own.k0, rtol=tol.PEER, atol=1e-12)
    np.testing.assert_allclose(normalisation.scales, theirs.scales, rtol=tol.PEER)
    again = Normalisation.of_tensors(normalisation.tensors())
    raw = species_gram(ragged, ragged.select(TRAIN), Linear())
    np.testing.assert_array_equal(again.apply(raw).k1, normalisation.apply(raw).k1)
    assert Normalisation.of_tensors({"features": np.zeros(3)}) is None


def test_frames_that_are_all_the_same(ragged):
    one = ragged.select(np.zeros(5, dtype=int))
    with pytest.raises(
        DataError, match=r"^linear kernel: the features of all 4 training frames are the same: .*"
    ):
        training_gram(one, np.arange(4), Linear())
