"""The mean-embedding kernel against its definition, summed pair by pair in float64."""

import numpy as np
import pytest
import tolerances as tol

from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Gaussian, Linear, Matern, median_lengthscale
from mekrr.kernels.gram import combine, species_gram, train_gram
from mekrr.kernels.rank import find_basis

SIGMA = 1.7


def gaussian(h, g):
    return np.exp(-np.sum((h - g) ** 2) / (2 * SIGMA**2))


def matern3(h, g):
    r = np.sqrt(3) * np.linalg.norm(h - g) / SIGMA
    return (1 + r) * np.exp(-r)


def matern5(h, g):
    r = np.sqrt(5) * np.linalg.norm(h - g) / SIGMA
    return (1 + r + r**2 / 3) * np.exp(-r)


def linear(h, g):
    return float(h @ g)


def brute_force(rows, columns, kernel):
    """K_0 and the per-species terms of K_1 as double sums over atoms."""
    species = sorted({*rows.species.tolist(), *columns.species.tolist()})
    k0 = np.zeros((len(rows), len(columns)))
    shares = {s: np.zeros_like(k0) for s in species}
    for a in range(len(rows)):
        for b in range(len(columns)):
            first = range(rows.pointer[a], rows.pointer[a + 1])
            second = range(columns.pointer[b], columns.pointer[b + 1])
            values = {
                (i, j): kernel(
                    rows.features[i].astype(np.float64), columns.features[j].astype(np.float64)
                )
                for i in first
                for j in second
            }
            k0[a, b] = sum(values.values()) / (len(first) * len(second))
            for s in species:
                same = [
                    v
                    for (i, j), v in values.items()
                    if rows.species[i] == s and columns.species[j] == s
                ]
                shares[s][a, b] = np.mean(same) if same else 0.0
    return k0, shares


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float32, tol.GRAM_FLOAT32), (np.float64, tol.GRAM_FLOAT64)]
)
@pytest.mark.parametrize("tile_atoms", [1, 7, 1000])
def test_symmetric_gram_is_the_double_sum(ragged, dtype, tolerance, tile_atoms):
    k0, shares = brute_force(ragged, ragged, gaussian)
    gram = species_gram(ragged, None, Gaussian(SIGMA), dtype=dtype, tile_atoms=tile_atoms)
    np.testing.assert_allclose(gram.k0, k0, rtol=tolerance)
    assert set(gram.shares) == set(shares)
    for species, share in shares.items():
        np.testing.assert_allclose(gram.shares[species], share, rtol=tolerance)
        assert (gram.shares[species][share == 0] == 0).all(), "absent species contribute 0"
    np.testing.assert_allclose(gram.k1, sum(shares.values()), rtol=tolerance)


def test_rectangular_gram_is_the_double_sum(ragged):
    rows, columns = ragged.select([0, 2, 5]), ragged.select([1, 3, 4, 0])
    k0, shares = brute_force(rows, columns, gaussian)
    gram = species_gram(rows, columns, Gaussian(SIGMA), tile_atoms=8, threads=2)
    np.testing.assert_allclose(gram.k0, k0, rtol=tol.GRAM_FLOAT32)
    np.testing.assert_allclose(gram.k1, sum(shares.values()), rtol=tol.GRAM_FLOAT32)


@pytest.mark.parametrize(
    ("kernel", "formula"),
    [(Matern(SIGMA, 3), matern3), (Matern(SIGMA, 5), matern5)],
    ids=["3/2", "5/2"],
)
def test_matern_kernel_is_the_double_sum(ragged, kernel, formula):
    k0, shares = brute_force(ragged, ragged, formula)
    for dtype, tolerance in ((np.float32, tol.GRAM_FLOAT32), (np.float64, tol.GRAM_FLOAT64)):
        gram = species_gram(ragged, None, kernel, dtype=dtype, tile_atoms=8)
        np.testing.assert_allclose(gram.k0, k0, rtol=tolerance)
        np.testing.assert_allclose(gram.k1, sum(shares.values()), rtol=tolerance)


def test_linear_kernel_is_the_double_sum(ragged):
    k0, shares = brute_force(ragged, ragged, linear)
    gram = species_gram(ragged, None, Linear())
    np.testing.assert_allclose(gram.k0, k0, rtol=tol.PEER, atol=1e-12)
    np.testing.assert_allclose(gram.k1, sum(shares.values()), rtol=tol.PEER, atol=1e-12)


def test_tiling_and_threads_change_nothing(ragged):
    reference = species_gram(ragged, None, Gaussian(SIGMA), dtype=np.float64)
    for tile_atoms, threads in ((3, 1), (3, 2), (11, 2)):
        gram = species_gram(
            ragged, None, Gaussian(SIGMA), dtype=np.float64, tile_atoms=tile_atoms, threads=threads
        )
        np.testing.assert_allclose(gram.k0, reference.k0, atol=tol.TILING, rtol=0)
        np.testing.assert_allclose(gram.k1, reference.k1, atol=tol.TILING, rtol=0)


def test_gram_is_positive_semidefinite_and_symmetric(ragged):
    gram = species_gram(ragged, None, Gaussian(SIGMA), tile_atoms=8)
    for alpha in (0.0, 0.3, 1.0):
        kernel = combine(gram.k0, gram.k1, alpha)
        np.testing.assert_array_equal(kernel, kernel.T)
        assert np.linalg.eigvalsh(kernel).min() > -1e-7


def test_alpha_weighs_the_two_kernels(ragged):
    gram = species_gram(ragged, None, Gaussian(SIGMA))
    np.testing.assert_array_equal(combine(gram.k0, gram.k1, 0.0), gram.k0)
    np.testing.assert_array_equal(combine(gram.k0, gram.k1, 1.0), gram.k1)
    np.testing.assert_allclose(
        combine(gram.k0, gram.k1, 0.25), 0.75 * gram.k0 + 0.25 * gram.k1, rtol=1e-15
    )


def test_one_atom_of_one_species_everywhere_gives_equal_kernels(rng):
    frames = FrameFeatures(rng.normal(size=(4, 5)), np.full(4, 29), np.arange(5))
    gram = species_gram(frames, None, Gaussian(SIGMA), dtype=np.float64)
    np.testing.assert_allclose(gram.k0, gram.k1, rtol=1e-14)
    np.testing.assert_allclose(np.diag(gram.k0), 1.0, rtol=1e-14)


def test_near_duplicates_far_from_the_origin_keep_their_precision(rng):
    """Two atoms 1e-4 σ apart whose features are huge: float32 alone would see noise."""
    base = 500.0 + rng.normal(size=(1, 16))
    features = np.concatenate([base, base + 1e-4, base - 1e-4, base + 1.0])
    frames = FrameFeatures(features, np.full(4, 29), np.arange(5))
    k0, _ = brute_force(frames, frames, gaussian)
    gram = species_gram(frames, None, Gaussian(SIGMA))
    np.testing.assert_allclose(gram.k0, k0, rtol=tol.GRAM_FLOAT32)


@pytest.fixture
def narrow(rng):
    """Wide features that differ in a dozen directions only, as those of a trajectory do."""
    directions = np.linalg.qr(rng.normal(size=(200, 12)))[0]
    species = np.tile([29, 29, 29, 8, 1], 30)
    centres = {z: 5.0 * rng.normal(size=200) for z in (1, 8, 29)}
    h = np.stack([centres[z] for z in species]) + rng.normal(size=(150, 12)) @ directions.T
    return FrameFeatures(h.astype(np.float32), species, 5 * np.arange(31))


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float32, tol.GRAM_FLOAT32), (np.float64, tol.GRAM_FLOAT64)]
)
def test_projected_gram_is_the_double_sum(narrow, dtype, tolerance):
    k0, shares = brute_force(narrow, narrow, gaussian)
    gram = species_gram(narrow, None, Gaussian(SIGMA), dtype=dtype)
    np.testing.assert_allclose(gram.k0, k0, rtol=tolerance)
    for species, share in shares.items():
        np.testing.assert_allclose(gram.shares[species], share, rtol=tolerance)


def basis_of(rows, rng, tolerance):
    def draw(count):
        return rows[rng.choice(len(rows), min(count, len(rows)), replace=False)]

    spanned = np.zeros((1, rows.shape[1]))
    return find_basis(draw, lambda: iter(np.array_split(rows, 7)), spanned, tolerance)


def test_basis_holds_every_row(rng):
    """A direction that one atom alone has is found although no sample may hold it."""
    directions = np.linalg.qr(rng.normal(size=(200, 12)))[0]
    rows = rng.normal(size=(5000, 12)) @ directions.T
    rows[4321] += 0.01 * rng.normal(size=200)
    basis = basis_of(rows, rng, 1e-5)
    assert basis.shape[1] <= 16
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    assert np.linalg.norm(rows - (rows @ basis) @ basis.T, axis=1).max() <= 1e-5


def test_no_basis_for_rows_of_full_rank(rng):
    assert basis_of(rng.normal(size=(900, 100)), rng, 1e-4) is None


def test_train_gram_matches_the_full_gram(ragged):
    train = np.array([4, 0, 3])
    full = species_gram(ragged, None, Gaussian(SIGMA))
    part = train_gram(ragged, train, Gaussian(SIGMA))
    np.testing.assert_allclose(part.k0, full.k0[:, train], rtol=tol.GRAM_FLOAT32)
    np.testing.assert_allclose(part.k1, full.k1[:, train], rtol=tol.GRAM_FLOAT32)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 41])
def test_lengthscale_is_the_lower_median_with_diagonal(rng, n):
    h = 3.0 + rng.normal(size=(n, 4))
    distances = np.sort(np.linalg.norm(h[:, None] - h[None, :], axis=-1).ravel())
    expected = distances[(n * n - 1) // 2]
    assert median_lengthscale(h) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_sampled_lengthscale_is_close_to_the_exact_one(rng, monkeypatch):
    h = rng.normal(size=(2500, 6)).astype(np.float32)
    exact = median_lengthscale(h)
    monkeypatch.setattr("mekrr.kernels.atom.EXACT_MEDIAN_ATOMS", 1000)
    assert median_lengthscale(h) == pytest.approx(exact, rel=0.02)
    assert median_lengthscale(h) == median_lengthscale(h), "seeded"
