"""The mean-embedding kernel against its definition, summed pair by pair in float64."""

import numpy as np
import pytest
import tolerances as tol
import torch

from mekrr.features.store import FrameFeatures
from mekrr.kernels import lengthscale
from mekrr.kernels.atom import KERNELS, Gaussian, Matern3
from mekrr.kernels.engine import plan
from mekrr.kernels.engine.coordinates import Coordinates
from mekrr.kernels.engine.rank import find_basis
from mekrr.kernels.gram import Gram, self_gram, species_gram, train_gram
from mekrr.kernels.lengthscale import median_lengthscale

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


FORMULAS = {"gaussian": gaussian, "matern3": matern3, "matern5": matern5, "linear": linear}


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


@pytest.fixture
def small_tiles(monkeypatch):
    """Several bands even of a few frames."""
    monkeypatch.setattr(plan, "STRIP_ATOMS", 8)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float32, tol.GRAM_FLOAT32), (np.float64, tol.GRAM_FLOAT64)]
)
@pytest.mark.parametrize("strip_atoms", [1, 7, 1000])
def test_symmetric_gram_is_the_double_sum(ragged, dtype, tolerance, strip_atoms, monkeypatch):
    monkeypatch.setattr(plan, "STRIP_ATOMS", strip_atoms)
    k0, shares = brute_force(ragged, ragged, gaussian)
    gram = species_gram(ragged, None, Gaussian(SIGMA), dtype=dtype)
    np.testing.assert_allclose(gram.k0, k0, rtol=tolerance)
    assert set(gram.shares) == set(shares)
    for species, share in shares.items():
        np.testing.assert_allclose(gram.shares[species], share, rtol=tolerance)
        assert (gram.shares[species][share == 0] == 0).all(), "absent species contribute 0"
    np.testing.assert_allclose(gram.k1, sum(shares.values()), rtol=tolerance)


def test_rectangular_gram_is_the_double_sum(ragged, small_tiles):
    rows, columns = ragged.select([0, 2, 5]), ragged.select([1, 3, 4, 0])
    k0, shares = brute_force(rows, columns, gaussian)
    gram = species_gram(rows, columns, Gaussian(SIGMA), threads=2)
    np.testing.assert_allclose(gram.k0, k0, rtol=tol.GRAM_FLOAT32)
    np.testing.assert_allclose(gram.k1, sum(shares.values()), rtol=tol.GRAM_FLOAT32)


@pytest.mark.parametrize("name", KERNELS)
def test_every_atom_kernel_is_the_double_sum(ragged, name, small_tiles):
    k0, shares = brute_force(ragged, ragged, FORMULAS[name])
    for dtype, tolerance in ((np.float32, tol.GRAM_FLOAT32), (np.float64, tol.GRAM_FLOAT64)):
        gram = species_gram(ragged, None, KERNELS[name](SIGMA), dtype=dtype)
        np.testing.assert_allclose(gram.k0, k0, rtol=tolerance, atol=1e-12)
        np.testing.assert_allclose(gram.k1, sum(shares.values()), rtol=tolerance, atol=1e-12)


@pytest.fixture
def many(rng):
    """40 frames of 3 to 9 atoms, of which half have no atom of the third species."""
    n_atoms = rng.integers(3, 10, size=40)
    species = np.concatenate(
        [rng.choice([29, 8, 1] if k % 2 else [29, 8], size=n) for k, n in enumerate(n_atoms)]
    )
    pointer = np.concatenate([[0], np.cumsum(n_atoms)])
    return FrameFeatures(rng.normal(size=(len(species), 70)).astype(np.float32), species, pointer)


@pytest.mark.parametrize("options", [{"threads": 2}, {"memory": 1}, {"memory": 2**16}])
def test_threads_and_memory_change_not_a_digit(many, small_tiles, options):
    kernel = Gaussian(10.0)
    reference = species_gram(many, None, kernel)
    gram = species_gram(many, None, kernel, **options)
    np.testing.assert_array_equal(gram.k0, reference.k0)
    np.testing.assert_array_equal(gram.k1, reference.k1)


def test_parts_cut_between_bands_change_not_a_digit(many, small_tiles):
    kernel = Gaussian(10.0)
    reference = species_gram(many, None, kernel)
    cuts = plan.cuts(many)
    assert len(cuts) > 2
    early, late = np.split(np.arange(len(many)), [cuts[2]])
    shared = {"coordinates": Coordinates.of([many], kernel.lengthscale, np.float32)}
    for rows, columns in ((early, None), (late, None), (early, late)):
        part = species_gram(
            many.select(rows), None if columns is None else many.select(columns), kernel, **shared
        )
        block = np.ix_(rows, rows if columns is None else columns)
        np.testing.assert_array_equal(part.k0, reference.k0[block])
        for species, share in part.shares.items():
            np.testing.assert_array_equal(share, reference.shares[species][block])


@pytest.mark.parametrize("kernel", [Gaussian(SIGMA), Matern3(SIGMA)], ids=["Gaussian", "Matern"])
def test_torch_computes_the_same_tiles(ragged, kernel):
    """Here on the CPU; tests/gpu does it on a GPU."""
    reference = species_gram(ragged, None, kernel)
    gram = species_gram(ragged, None, kernel, device=torch.device("cpu"))
    np.testing.assert_allclose(gram.k0, reference.k0, rtol=tol.GRAM_FLOAT32)
    np.testing.assert_allclose(gram.k1, reference.k1, rtol=tol.GRAM_FLOAT32)


def test_long_sums_keep_their_precision(rng):
    """Thousands of float32 kernel values to a sum."""
    features = (0.2 * rng.normal(size=(4000, 6))).astype(np.float32)
    frames = FrameFeatures(features, np.full(4000, 29), np.array([0, 1500, 4000]))
    exact = species_gram(frames, None, Gaussian(SIGMA), dtype=np.float64)
    gram = species_gram(frames, None, Gaussian(SIGMA))
    np.testing.assert_allclose(gram.k0, exact.k0, rtol=1e-7)


def test_gram_is_positive_semidefinite_and_symmetric(ragged, small_tiles):
    gram = species_gram(ragged, None, Gaussian(SIGMA))
    for alpha in (0.0, 0.3, 1.0):
        kernel = gram.at(alpha)
        np.testing.assert_array_equal(kernel, kernel.T)
        assert np.linalg.eigvalsh(kernel).min() > -1e-7


def test_alpha_weighs_the_two_kernels(ragged):
    gram = species_gram(ragged, None, Gaussian(SIGMA))
    np.testing.assert_array_equal(gram.at(0.0), gram.k0)
    np.testing.assert_array_equal(gram.at(1.0), gram.k1)
    np.testing.assert_allclose(gram.at(0.25), 0.75 * gram.k0 + 0.25 * gram.k1, rtol=1e-15)


@pytest.fixture
def shares(ragged):
    return species_gram(ragged, None, Gaussian(SIGMA), dtype=np.float64)


def test_alpha_of_each_species_weighs_its_share(ragged, shares):
    """Against the double sums; carbon and hydrogen are in few frames."""
    k0, terms = brute_force(ragged, ragged, gaussian)
    alphas = {1: 0.0, 6: 0.9, 8: 0.25, 29: 1.0}
    expected = (1.0 - np.mean([0.0, 0.9, 0.25, 1.0])) * k0
    for species, alpha in alphas.items():
        expected = expected + alpha * terms[species]
    np.testing.assert_allclose(shares.at(alphas), expected, rtol=tol.GRAM_FLOAT64)


def test_equal_alphas_are_one_alpha(shares):
    for alpha in (0.0, 0.3, 1.0):
        same = shares.at(dict.fromkeys(shares.shares, alpha))
        np.testing.assert_allclose(same, shares.at(alpha), rtol=1e-14)


def test_alpha_of_a_species_that_no_frame_has_counts_in_the_mean_alone(shares):
    """A fit's species may be absent from new frames: their kernels keep the fit's weights."""
    alphas = {29: 0.5, 47: 1.0}
    expected = (1.0 - 0.75) * shares.k0 + 0.5 * shares.shares[29]
    np.testing.assert_allclose(shares.at(alphas), expected, rtol=1e-14)


def test_species_without_an_alpha_has_no_share(shares):
    """One that the frames of the fit lack tells these nothing."""
    np.testing.assert_allclose(shares.at({29: 1.0}), shares.shares[29], rtol=1e-14)


def test_alphas_by_species_keep_the_kernel_semi_definite(shares, rng):
    for _ in range(20):
        drawn = rng.choice([0.0, 1.0, rng.uniform()], len(shares.shares))
        square = shares.at(dict(zip(shares.shares, drawn, strict=True)))
        assert np.linalg.eigvalsh(square).min() > -tol.GRAM_FLOAT64 * np.trace(square)


def test_rows_and_columns_are_those_of_every_part(ragged):
    kernel, which = Gaussian(SIGMA), np.array([5, 0, 2])
    whole = species_gram(ragged, None, kernel)
    gram = Gram(whole.k0, whole.shares, self_gram(ragged, kernel), SIGMA)
    some, fewer = gram.rows(which), gram.columns(which)
    assert some.lengthscale == fewer.lengthscale == SIGMA
    for alpha in (0.3, {1: 0.2, 29: 0.7}):
        np.testing.assert_array_equal(some.at(alpha), gram.at(alpha)[which])
        np.testing.assert_array_equal(fewer.at(alpha), gram.at(alpha)[:, which])
        own = gram.self_kernel.at(alpha)
        np.testing.assert_array_equal(some.self_kernel.at(alpha), own[which])
        np.testing.assert_array_equal(fewer.self_kernel.at(alpha), own)


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
    species = np.tile([29, 29, 29, 8, 1], 60)
    centres = {z: 5.0 * rng.normal(size=200) for z in (1, 8, 29)}
    spread = 0.35 * rng.normal(size=(300, 12))  # distances of about σ, as the median's are
    h = np.stack([centres[z] for z in species]) + spread @ directions.T
    return FrameFeatures(h.astype(np.float32), species, 5 * np.arange(61))


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float32, tol.GRAM_FLOAT32), (np.float64, tol.GRAM_FLOAT64)]
)
def test_projected_gram_is_the_double_sum(narrow, dtype, tolerance):
    few = narrow.select(range(12))  # the double sum is slow
    k0, shares = brute_force(few, few, gaussian)
    coordinates = Coordinates.of([narrow], SIGMA, dtype)
    assert coordinates.width == (12 if dtype == np.float32 else 200)
    gram = species_gram(few, None, Gaussian(SIGMA), coordinates=coordinates, dtype=dtype)
    np.testing.assert_allclose(gram.k0, k0, rtol=tolerance)
    for species, share in shares.items():
        np.testing.assert_allclose(gram.shares[species], share, rtol=tolerance)


def basis_of(rows, rng, tolerance):
    def draw(count):
        return rows[rng.choice(len(rows), min(count, len(rows)), replace=False)]

    return find_basis(draw, lambda: iter(np.array_split(rows, 7)), len(rows), tolerance)


def test_basis_holds_every_row(rng):
    """A direction that one atom alone has is found although no sample may hold it."""
    directions = np.linalg.qr(rng.normal(size=(200, 12)))[0]
    rows = rng.normal(size=(5000, 12)) @ directions.T
    rows[4321] += 0.01 * rng.normal(size=200)
    basis = basis_of(rows, rng, 1e-5)
    assert basis.shape[1] <= 16
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    assert np.linalg.norm(rows - (rows @ basis) @ basis.T, axis=1).max() <= 1e-5


def test_no_basis_for_few_rows(rng):
    rows = rng.normal(size=(150, 12)) @ np.linalg.qr(rng.normal(size=(200, 12)))[0].T
    assert basis_of(rows, rng, 1e-5) is None


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


@pytest.fixture
def small_sample(monkeypatch):
    """Many atoms begin at 300."""
    monkeypatch.setattr(lengthscale, "SAMPLE_ATOMS", 300)
    monkeypatch.setattr(lengthscale, "BATCH", 128)


@pytest.mark.parametrize("threads", [1, 2])
def test_lengthscale_of_many_atoms_is_the_lower_median(rng, small_sample, threads):
    h = (3.0 + rng.normal(size=(1001, 6))).astype(np.float32)
    distances = np.sort(np.linalg.norm(h[:, None].astype(float) - h, axis=-1).ravel())
    found = median_lengthscale(h, threads=threads)
    assert found == pytest.approx(distances[(1001 * 1001 - 1) // 2], rel=tol.MEDIAN)


def test_lengthscale_that_a_sample_misleads_on(small_sample, monkeypatch, rng):
    """The median is not where the sample has it: the search widens."""
    h = rng.normal(size=(900, 4)).astype(np.float32)
    exact = median_lengthscale(h)
    widths = []
    count = lengthscale._count

    def counted(*arguments):
        widths.append(arguments[3] - arguments[2])
        return count(*arguments)

    monkeypatch.setattr(lengthscale, "_count", counted)
    monkeypatch.setattr(
        lengthscale, "_squared_distances", lambda features: np.linspace(1e3, 1e4, 300)
    )
    assert median_lengthscale(h) == pytest.approx(exact, rel=1e-4)
    assert len(widths) == len(lengthscale.BRACKETS)


def test_sampled_lengthscale_is_close_to_the_exact_one(rng, small_sample):
    h = rng.normal(size=(2500, 6)).astype(np.float32)
    exact = median_lengthscale(h)
    assert median_lengthscale(h, sampled=True) == pytest.approx(exact, rel=0.02)
    assert median_lengthscale(h, sampled=True) == median_lengthscale(h, sampled=True), "seeded"
    assert median_lengthscale(h, sampled=True, seed=1) != median_lengthscale(h, sampled=True)
