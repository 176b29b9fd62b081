"""Sparse models: rows, solution and choice, against brute force in float64."""

from dataclasses import replace

import numpy as np
import pytest
import tolerances as tol
import torch
from toy import SPECIES, basis_of, toy_features

from mekrr.choices import METRICS
from mekrr.errors import JitterWarning, SolveError
from mekrr.features.directions_store import FrameDirections
from mekrr.kernels.atom import RADIAL, Gaussian
from mekrr.models.sparse.arithmetic import Arithmetic, arithmetic, by_torch
from mekrr.models.sparse.data import Data
from mekrr.models.sparse.factor import Factor, below
from mekrr.models.sparse.fit import fit_sparse
from mekrr.models.sparse.inducing import choose_inducing
from mekrr.models.sparse.metric import scales_of
from mekrr.models.sparse.model import SparseModel
from mekrr.models.sparse.select import Held, choose, folds
from mekrr.models.sparse.settings import Open
from mekrr.models.sparse.solve import Rows, coefficients_of, path, penalised, prior_root

STEP = 1e-5
N_DIRECTIONS = 3


@pytest.fixture
def features(rng):
    return toy_features(rng).select(range(12))


@pytest.fixture
def directions(features, rng):
    counts = np.full(len(features), N_DIRECTIONS)
    rows = rng.normal(size=(int(counts @ features.n_atoms), 3))
    return FrameDirections(rows, counts, features.n_atoms, None)


@pytest.fixture(params=[(0.0, "gaussian"), (0.4, "matern5"), (1.0, "matern3"), (1.0, "gaussian")])
def basis(features, request):
    alpha, kernel = request.param
    return basis_of(features, alpha, kernel)


def loops(basis, features):
    """Kernels of all atoms with inducing atoms, one by one."""
    found = np.zeros((len(features.species), len(basis)))
    for i, (h, s) in enumerate(zip(features.features, features.species, strict=True)):
        for m, (z, t) in enumerate(zip(basis.features, basis.species, strict=True)):
            pairs = [(1.0 - basis.alpha, basis.shared)]
            if s == t:
                pairs.append((basis.alpha, basis.own[int(s)]))
            for weight, scale in pairs:
                gap = (h - z) @ scale.along
                x = np.array([-gap @ gap / (2.0 * basis.kernel.lengthscale**2)])
                basis.kernel.apply(x, np)
                found[i, m] += weight * x[0]
    return found


def of_frames(features, rows):
    return np.add.reduceat(rows, features.pointer[:-1])


def test_rows_are_sums_of_kernels(basis, features):
    rows, none = basis.rows(features, None)
    expected = of_frames(features, loops(basis, features))
    np.testing.assert_allclose(rows, expected, rtol=0, atol=tol.SPARSE)
    assert none.shape == (0, len(basis))
    empty = FrameDirections(
        np.zeros((0, 0)), np.zeros(len(features), dtype=int), features.n_atoms, None
    )
    np.testing.assert_array_equal(basis.rows(features, empty)[0], rows)
    np.testing.assert_allclose(
        basis.between(features.features, features.species), loops(basis, features), atol=tol.SPARSE
    )


def moved(features, directions, which, step):
    """Features after a step along one direction of each frame."""
    rows = np.concatenate([directions.of(t)[which] for t in range(len(features))])
    return replace(features, features=features.features + step * rows)


def test_rows_of_directions_are_derivatives(basis, features, directions):
    _, slopes = basis.rows(features, directions)
    slopes = slopes.reshape(len(features), N_DIRECTIONS, -1)
    for which in range(N_DIRECTIONS):
        up, down = (
            basis.rows(moved(features, directions, which, s), None)[0] for s in (STEP, -STEP)
        )
        np.testing.assert_allclose(
            slopes[:, which], (up - down) / (2 * STEP), atol=tol.SPARSE_SLOPE
        )


def test_float32_products_are_near_those_of_float64(basis, features, directions):
    single = replace(basis, dtype=np.float32)
    pairs = zip(single.rows(features, directions), basis.rows(features, directions), strict=True)
    for found, expected in pairs:
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=tol.SPARSE_FLOAT32 * scale)


@pytest.fixture
def computed_by(monkeypatch):
    """Compute with an arithmetic from here."""

    def use(chosen):
        for module in ("basis", "factor"):
            monkeypatch.setattr(f"mekrr.models.sparse.{module}.arithmetic", lambda: chosen)

    return use


def test_rows_are_the_same_a_few_products_at_a_time(basis, features, directions, computed_by):
    expected = basis.rows(features, directions)
    for held in (1, 1000):
        computed_by(Arithmetic(held=held))
        for found, rows in zip(basis.rows(features, directions), expected, strict=True):
            np.testing.assert_allclose(found, rows, rtol=0, atol=tol.SPARSE)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_torch_computes_the_same_rows(basis, features, directions, computed_by, dtype, rtol):
    """Here on the CPU; tests/gpu does it on a GPU."""
    basis = replace(basis, dtype=dtype)
    expected = basis.rows(features, directions), basis.rows(features, None)
    computed_by(by_torch(torch.device("cpu")))
    with torch.autocast("cpu"):  # settings of the caller change no number
        found = basis.rows(features, directions), basis.rows(features, None)
    for ours, theirs in zip(sum(found, ()), sum(expected, ()), strict=True):
        atol = rtol * np.abs(theirs).max(initial=0.0)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


def test_without_a_driver_numpy_computes():
    if not torch.cuda.is_available():
        assert arithmetic() == Arithmetic()


def test_atoms_and_their_gradient_make_up_rows(basis, features, directions, rng):
    a = rng.normal(size=len(basis))
    rows, slopes = basis.rows(features, directions)
    for t in range(len(features)):
        one = features[t]
        atoms, gradient = basis.at(one.features, one.species, a)
        assert atoms.sum() == pytest.approx(rows[t] @ a)
        along = np.einsum("qnd,nd->q", directions.of(t), gradient)
        np.testing.assert_allclose(along, slopes[N_DIRECTIONS * t :][:N_DIRECTIONS] @ a)


def test_prior_of_a_frame_is_its_kernel_and_that_of_derivatives(basis, features, directions):
    one = features[3]
    along = directions.of(3)
    inducing = replace(basis, species=one.species, features=one.features)

    def kernel(left, right):
        shifted = replace(inducing, features=right)
        return shifted.rows(replace(one, features=left), None)[0].sum()

    prior, slopes = basis.prior(one.features, one.species, along)
    assert prior == pytest.approx(kernel(one.features, one.features))
    step = 1e-4
    for u, found in zip(along, slopes, strict=True):
        up, down = one.features + step * u, one.features - step * u
        mixed = kernel(up, up) - kernel(up, down) - kernel(down, up) + kernel(down, down)
        assert found == pytest.approx(mixed / (4 * step**2), rel=1e-3)


@pytest.mark.parametrize("metric", METRICS)
def test_atoms_of_a_species_are_one_apart_in_its_coordinates(rng, metric):
    features = rng.normal(size=(200, 5)) * [1.0, 2.0, 3.0, 0.1, 1.0]
    own, _ = scales_of(features, np.full(200, 6), (2, 3), metric)
    g = own[6].apply(features, np.float64)
    assert np.square(g[:, None] - g).sum(axis=-1).mean() == pytest.approx(1.0, rel=0.02)
    # Each layer has half of the mean square distance.
    assert np.square(g[:, None, :2] - g[:, :2]).sum(axis=-1).mean() == pytest.approx(0.5, rel=0.02)


def test_half_whitening_takes_the_square_root_of_spreads(rng):
    features = rng.normal(size=(5000, 2)) * [1.0, 100.0]
    own, _ = scales_of(features, np.full(5000, 6), (2,), "whitened")
    spread = np.sort(np.linalg.svd(own[6].apply(features, np.float64), compute_uv=False))
    assert spread[1] / spread[0] == pytest.approx(10.0, rel=0.05)


def test_an_atom_unlike_the_only_one_of_its_species_is_far_away(rng):
    features = np.concatenate([rng.normal(size=(50, 3)), [[5.0, 5.0, 5.0]]])
    own, _ = scales_of(features, np.array([29] * 50 + [8]), (3,), "whitened")
    assert np.linalg.norm(own[8].apply(features[-1:] + 1.0, np.float64)) > 0.1


def test_features_all_alike_leave_coordinates_finite():
    own, shared = scales_of(np.ones((10, 3)), np.full(10, 29), (3,), "whitened")
    assert np.isfinite(own[29].along).all()
    assert np.isfinite(shared.along).all()


def test_inducing_atoms_tell_of_all_others(rng):
    rows = rng.normal(size=(300, 2)).astype(np.float32)
    _, chosen = choose_inducing({29: rows}, Gaussian(2.0), 300)
    assert len(chosen) < 300
    assert len(set(chosen.tolist())) == len(chosen)
    gaps = np.square(rows[:, None].astype(float) - rows).sum(axis=-1)
    gram = np.exp(-gaps / 8.0)
    inner = gram[np.ix_(chosen, chosen)] + 1e-10 * np.eye(len(chosen))
    told = gram[:, chosen] @ np.linalg.solve(inner, gram[chosen])
    assert np.diag(gram - told).max() < 1e-4


def test_the_path_is_the_solution_of_each_regularisation(problem):
    *_, rows, root = problem
    several = np.array([1e-2, 1.0, 1e4])
    found = path(rows.stacked(0.1, 0.5), root[:11, :11], several)
    for regularisation, a in zip(several, found, strict=True):
        triangle = penalised(rows.stacked(0.1, 0.5), root[:11, :11], regularisation)
        expected = coefficients_of(triangle)
        np.testing.assert_allclose(a, expected, rtol=0, atol=1e-8 * np.abs(expected).max())


def test_rare_species_are_kept_whole_and_equal_atoms_once(rng):
    coordinates = {
        29: rng.normal(size=(500, 4)).astype(np.float32),
        8: 3.0 * rng.normal(size=(3, 4)).astype(np.float32),
        6: np.zeros((40, 4), dtype=np.float32),
    }
    species, _rows = choose_inducing(coordinates, Gaussian(1.0), 60)
    assert len(species) == 60
    assert (species == 8).sum() == 3
    assert (species == 6).sum() == 1
    more, _ = choose_inducing(coordinates, Gaussian(1.0), 80)
    np.testing.assert_array_equal(more[:60], species)


@pytest.mark.parametrize("method", ["k-means", "farthest"])
def test_other_ways_choose_as_many_other_atoms(rng, method):
    coordinates = {s: rng.normal(size=(200, 4)).astype(np.float32) for s in (8, 29)}
    species, rows = choose_inducing(coordinates, Gaussian(2.0), 30, method)
    usual, _ = choose_inducing(coordinates, Gaussian(2.0), 30)
    assert len(species) <= len(usual)
    pairs = set(zip(species.tolist(), rows.tolist(), strict=True))
    assert len(pairs) == len(species)


def test_triangles_stand_for_rows_however_they_come(rng):
    rows, targets = rng.normal(size=(500, 7)), rng.normal(size=500)
    a = rng.normal(size=7)
    expected = np.square(rows @ a - targets).sum()
    fewer = np.square(rows[:, :4] @ a[:4] - targets).sum()
    for cuts in ([], [3], [250], [7, 8, 9, 400]):
        parts = []
        for some in np.split(np.arange(500), cuts):
            part = Factor(7)
            part.add(rows[some], targets[some])
            parts.append(part)
        whole = Factor.joined(parts)
        assert whole.n_rows == 500
        assert whole.squares(a[None])[0] == pytest.approx(expected, rel=tol.SHARDS)
        assert whole.squares(a[None, :4])[0] == pytest.approx(fewer, rel=tol.SHARDS)


@pytest.mark.parametrize("way", ["lapack", "torch"])
@pytest.mark.parametrize("n_rows", [1, 40, 400])
def test_triangles_are_those_of_dense_decompositions(rng, computed_by, n_rows, way):
    if way == "torch":
        computed_by(by_torch(torch.device("cpu")))
    n = 100
    rows = rng.normal(size=(n_rows, n))
    rows[:, [0, 5, 70]] = 0.0
    above = np.triu(rng.normal(size=(n, n)))
    above[5] = 0.0  # a column of none at all
    found = below(above.copy(), rows)
    np.testing.assert_array_equal(found, np.triu(found))
    gram = above.T @ above + rows.T @ rows
    np.testing.assert_allclose(found.T @ found, gram, rtol=0, atol=1e-12 * np.abs(gram).max())
    for part in (n, 60):  # a triangle below, and the first rows of one
        twice = below(above.copy(), found[:part], upper=True)
        gram = above.T @ above + found[:part].T @ found[:part]
        np.testing.assert_allclose(twice.T @ twice, gram, rtol=0, atol=1e-12 * np.abs(gram).max())


def test_triangles_of_few_rows_and_of_inducing_atoms_that_no_frame_is_like(rng):
    rows, targets, a = rng.normal(size=(3, 7)), rng.normal(size=3), rng.normal(size=7)
    rows[:, [0, 2, 3]] = 0.0
    few = Factor(7)
    few.add(rows, targets)
    expected = np.square(rows @ a - targets).sum()
    assert few.squares(a[None])[0] == pytest.approx(expected, rel=tol.SHARDS)
    twice = Factor.joined([few, few])
    assert twice.squares(a[None])[0] == pytest.approx(2 * expected, rel=tol.SHARDS)


@pytest.fixture
def problem(basis, features, directions, rng):
    """Rows of all kinds, their targets and triangles, and Lᵀ."""
    energies, slopes = basis.rows(features, directions)
    y, f = rng.normal(size=len(energies)), rng.normal(size=len(slopes))
    rows = Rows(Factor(len(basis)), Factor(len(basis)))
    rows.energies.add(energies, y)
    rows.directions.add(slopes, f)
    return energies, slopes, y, f, rows, prior_root(basis.gram())


@pytest.mark.parametrize("n", [20, 11])
def test_solution_is_that_of_dense_least_squares(problem, basis, n):
    energies, slopes, y, f, rows, root = problem
    root = root[:n, :n]
    a = coefficients_of(penalised(rows.stacked(0.1, 0.5), root, 0.3))
    dense = np.vstack([energies[:, :n] / 0.1, slopes[:, :n] / 0.5, np.sqrt(0.3) * root])
    targets = np.concatenate([y / 0.1, f / 0.5, np.zeros(n)])
    expected = np.linalg.lstsq(dense, targets, rcond=None)[0]
    np.testing.assert_allclose(a, expected, rtol=0, atol=1e-8 * np.abs(expected).max())
    np.testing.assert_allclose(root.T @ root, basis.gram()[:n, :n], atol=1e-9)
    off = np.sqrt(np.mean((energies[:, :n] @ a - y) ** 2))
    assert tuple(rows.errors(a[None])[0]) == pytest.approx(
        (off, np.sqrt(np.mean((slopes[:, :n] @ a - f) ** 2))), rel=1e-9
    )


def test_variance_is_that_of_bayesian_regression(problem, basis, features):
    energies, slopes, _, _, rows, root = problem
    triangle = penalised(rows.stacked(0.1, 0.5), root, 0.3)
    model = SparseModel(
        basis, coefficients_of(triangle), triangle[:-1, :-1], root, 0.3, 0.1, 0.5, 0.0
    )
    inverse = energies.T @ energies / 0.01 + slopes.T @ slopes / 0.25 + 0.3 * basis.gram()
    one = features[2]
    row = energies[2]
    known = row @ np.linalg.solve(inverse, row)
    prior, _ = basis.prior(one.features, one.species, None)
    left = prior - row @ np.linalg.solve(basis.gram(), row)
    assert left > 0.0
    expected = (6 * 0.1) ** 2 + known + left / 0.3
    assert model.energy_variance(one.features, one.species, 6) == pytest.approx(expected, rel=1e-6)


def test_with_all_atoms_it_is_kernel_ridge_regression(features, rng):
    everything = basis_of(features, 1.0, n=72, sigma=0.7)
    everything = replace(
        everything, species=features.species, features=features.features.astype(np.float64)
    )
    sums = of_frames(features, loops(everything, features)) / 6.0  # per atom
    y = rng.normal(size=len(features))
    kernel = of_frames(features, sums.T) / 6.0
    dual = np.linalg.solve(kernel + 0.3 * 0.1**2 * np.eye(len(y)), y)
    rows = Rows(Factor(72), Factor(72))
    rows.energies.add(everything.rows(features, None)[0] / 6.0, y)
    a = coefficients_of(penalised(rows.stacked(0.1, 1.0), prior_root(everything.gram()), 0.3))
    np.testing.assert_allclose(sums @ a, kernel @ dual, rtol=0, atol=1e-6)


def test_folds_choose_what_predicts_the_others_best(problem, basis, features, directions, rng):
    root = problem[-1]
    truth = rng.normal(size=len(basis))
    energies, slopes = basis.rows(features, directions)
    parts = []
    for some in np.array_split(np.arange(12), 3):
        rows = Rows(Factor(len(basis)), Factor(len(basis)))
        rows.energies.add(energies[some], energies[some] @ truth)
        places = directions.places(some)
        rows.directions.add(slopes[places], slopes[places] @ truth)
        parts.append(rows)
    held = folds(parts)
    choice, sweep = choose(held, root, [5, 20], [0.01], [1e-8, 1e2])
    assert (choice.n, choice.regularisation) == (20, 1e-8)
    assert len(sweep) == 4
    assert sweep["criterion"].min() == choice.criterion
    only, _ = choose([Held(parts[0], parts[1])], root, [20], [0.01], [1e-8])
    fitted = coefficients_of(penalised(parts[0].stacked(0.01, 0.05), root, 1e-8))
    assert (only.energy, only.force) == pytest.approx(tuple(parts[1].errors(fitted[None])[0]))


def test_of_equal_choices_that_of_the_largest_sigma_is_taken(basis, features, rng):
    """Without derivatives λ σ² is all that counts."""
    energies, _ = basis.rows(features, None)
    root = prior_root(basis.gram())
    for _ in range(5):
        targets = energies @ rng.normal(size=len(basis)) + rng.normal(size=len(energies))
        parts = [Rows(Factor(len(basis)), Factor(len(basis))) for _ in range(2)]
        for rows, some in zip(parts, (slice(6), slice(6, 12)), strict=True):
            rows.energies.add(energies[some], targets[some])
        choice, table = choose([Held(*parts)], root, [20], [0.1, 1.0], np.logspace(-3, 6, 10))
        assert choice.sigma_energy == 1.0
        equal = np.isclose(table["regularisation"], choice.regularisation * 100.0)
        (other,) = table[equal & (table["sigma_energy"] == 0.1)]["criterion"]
        assert other == pytest.approx(choice.criterion, rel=1e-9)


@pytest.mark.parametrize("validated", [True, False])
def test_numbers_of_inducing_atoms_fare_as_in_separate_fits(features, directions, rng, validated):
    data = Data(
        {1: features},
        {1: directions},
        rng.normal(size=len(features)),
        rng.normal(size=int(directions.counts.sum())),
        features.n_atoms,
        np.array_split(np.arange(len(features)), 2 if validated else 3),
        validated,
    )

    def fit(numbers):
        options = Open([(1,)], [2.0], [1.0], numbers, [0.01, 0.1], [1e-2, 1.0, 1e2])
        return fit_sparse(data, "gaussian", "whitened", "cholesky", options, np.float64)

    alone = {n: fit([n]) for n in (6, 12, 24)}
    together = fit([6, 12, 24])
    for n, one in alone.items():
        found = together.sweep[together.sweep["n"] == n]
        np.testing.assert_allclose(found["criterion"], one.sweep["criterion"], rtol=1e-8)
    expected = min(alone.values(), key=lambda one: one.choice.criterion)
    assert together.choice.n == expected.choice.n == len(together.model.basis)
    a = expected.model.coefficients
    atol = 1e-8 * np.abs(a).max()
    np.testing.assert_allclose(together.model.coefficients, a, rtol=0, atol=atol)
    assert together.model.calibration == pytest.approx(expected.model.calibration, rel=1e-8)


def test_equal_inducing_atoms_are_told_of_and_solved(features):
    twice = basis_of(features, 1.0)
    twice = replace(
        twice,
        species=np.repeat(twice.species, 2),
        features=np.repeat(twice.features, 2, axis=0),
    )
    with pytest.warns(JitterWarning, match="40 inducing atoms are indefinite; added"):
        root = prior_root(twice.gram())
    assert np.isfinite(root).all()
    with pytest.raises(SolveError, match="not finite"):
        prior_root(np.full((2, 2), np.nan))


def test_every_radial_kernel_and_species_has_a_case():
    assert set(RADIAL) == {"gaussian", "matern5", "matern3"}
    assert set(SPECIES) == {1, 8, 29}
