"""Fits in shards: the same as of all frames at once, whatever the cut."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from mekrr.features.directions_store import FrameDirections
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Gaussian
from mekrr.models.sparse.data import FAR_ENERGY, Data, times_expected
from mekrr.models.sparse.errors import errors_of
from mekrr.models.sparse.factor import Factor
from mekrr.models.sparse.fit import Search, constant_of, fit_sparse, rows_of
from mekrr.models.sparse.inducing import CANDIDATES, choose_inducing
from mekrr.models.sparse.rows_store import read_rows, write_rows
from mekrr.models.sparse.sample import Sample, evenly
from mekrr.models.sparse.settings import Open, n_settings, read_setting, settings_of, write_settings
from mekrr.models.sparse.solve import Rows
from mekrr.study.experiments.large.errors import errors_by_group, sums_of

SIZES = np.array([2, 3, 5, 4, 1, 3, 6, 2, 4, 3, 5, 2, 3, 4])
SPLIT = np.array(["train", "val"])[(np.arange(len(SIZES)) % 4 == 3).astype(int)]
OPTIONS = Open([(1, 2)], [1.0, 2.0], [1.0], [9], [0.001], [0.01, 1.0])


def made(rng):
    """Features and derivatives of two layers of frames of Cu and O."""
    n = int(SIZES.sum())
    pointer = np.concatenate([[0], np.cumsum(SIZES)])
    species = rng.choice([8, 29], n)
    counts = np.full(len(SIZES), 2)
    features, directions = {}, {}
    for layer in (1, 2):
        h = rng.normal(size=(n, 3)).astype(np.float32)
        u = rng.normal(size=(int((counts * SIZES).sum()), 3)).astype(np.float32)
        features[layer] = FrameFeatures(h, species, pointer)
        directions[layer] = FrameDirections(u, counts, SIZES, None)
    return features, directions


@pytest.fixture
def data(rng):
    """What is learnt: two targets of each frame, in training and validation frames."""
    features, directions = made(rng)
    n = len(SIZES)
    parts = [np.flatnonzero(part == SPLIT) for part in ("train", "val")]
    energy, slope = rng.normal(size=(n, 2)), rng.normal(size=(2 * n, 2))
    return Data(features, directions, energy, slope, SIZES, parts, True)


def cut(data, bounds):
    """Shards of consecutive frames."""
    for begin, end in pairwise(bounds):
        frames = np.arange(begin, end)
        places = next(iter(data.directions.values())).places(frames)
        yield Data(
            {k: f.select(frames) for k, f in data.features.items()},
            {k: d.select(frames) for k, d in data.directions.items()},
            data.energy[frames],
            data.slope[places],
            data.n_atoms[frames],
            [np.flatnonzero(SPLIT[begin:end] == part) for part in ("train", "val")],
            True,
        )


@pytest.mark.parametrize("bounds", [(0, 14), (0, 5, 14), (0, 1, 2, 7, 8, 14)])
@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("forces", [True, False])
def test_a_fit_in_shards_is_that_of_all_frames(data, bounds, target, forces, tmp_path):
    one = data.of(target)
    if not forces:
        none = {k: FrameDirections.none(f) for k, f in data.features.items()}
        one = replace(one, directions=none, slope=np.zeros(0))
    whole = fit_sparse(one, "gaussian", "whitened", "cholesky", OPTIONS)

    shards = list(cut(data, bounds))
    sample = Sample.of([s.features for s in shards], [s.parts[0] for s in shards])
    settings = list(settings_of(sample, "gaussian", "whitened", "cholesky", OPTIONS))
    path = tmp_path / "settings"
    write_settings(path, settings, "gaussian")
    assert n_settings(path) == 2
    constants = [constant_of(e[data.parts[0]], SIZES[data.parts[0]]) for e in data.energy.T]
    files = [tmp_path / f"{k}" for k in range(len(shards))]
    for file, shard in zip(files, shards, strict=True):
        each = (read_setting(path, k) for k in range(2))
        rows = [rows_of(s.basis, s.layers, shard, np.array(constants)) for s in each]
        write_rows(file, enumerate(rows))
    search = Search(OPTIONS, constants[target], True)
    for k in range(2):
        stored = [read_rows(file, k) for file in files]
        parts = [Rows.joined(list(part)) for part in zip(*stored, strict=True)]
        search.consider(read_setting(path, k), [p.of(target, forces=forces) for p in parts])
    model = search.model
    assert search.best.choice.n == whole.choice.n
    assert search.best.choice.criterion == pytest.approx(whole.choice.criterion, rel=1e-5)
    expected = whole.model.coefficients
    np.testing.assert_allclose(
        model.coefficients, expected, rtol=0, atol=1e-5 * np.abs(expected).max()
    )
    assert model.constant == whole.model.constant


def test_errors_in_shards_add_up(data):
    """Also of a shard none of whose frames is asked for, as in curves of few frames."""
    fitted = fit_sparse(data.of(0), "gaussian", "whitened", "cholesky", OPTIONS)
    groups = np.array(["even", "odd"])[SIZES % 2]
    whole = [errors_of(fitted.model, fitted.layers, data.of(0), data.parts[1])]
    bounds = (0, 1, 2, 7, 8, 14)
    parts = [
        errors_of(fitted.model, fitted.layers, shard.of(0), shard.parts[1])
        for shard in cut(data, bounds)
    ]
    assert [len(part.energy) for part in parts] == [0, 0, 1, 1, 1]
    assert sum(len(part.scores[0]) for part in parts) == len(whole[0].scores[0]) == 3
    tables = []
    for errors, cuts in ((whole, (0, 14)), (parts, bounds)):
        sums = []
        for each, (begin, end) in zip(errors, pairwise(cuts), strict=True):
            members = begin + np.flatnonzero(SPLIT[begin:end] == "val")
            sums.append(sums_of(each, groups[members], np.full(len(members), 2)))
        table = pd.concat(sums).assign(method="one")
        tables.append(errors_by_group(table, {}).sort_values("group", ignore_index=True))
    pd.testing.assert_frame_equal(*tables, rtol=1e-6)
    assert tables[0]["frames"].max() == 3


def test_triangles_of_several_targets_are_those_of_each(rng):
    rows, targets = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    together = Factor(4, 3)
    together.add(rows, targets)
    a = rng.normal(size=(2, 4))
    for k in range(3):
        alone = together.of(k)
        assert (alone.width, alone.n_targets, alone.n_rows) == (4, 1, 20)
        expected = np.square(rows @ a.T - targets[:, [k]]).sum(axis=0)
        np.testing.assert_allclose(alone.squares(a), expected, rtol=1e-12)


@pytest.mark.parametrize("n_rows", [0, 3, 40])
def test_stored_triangles_come_back(rng, tmp_path, n_rows):
    kept = Rows(Factor(5, 2), Factor(5, 2))
    kept.energies.add(rng.normal(size=(n_rows, 5)), rng.normal(size=(n_rows, 2)))
    write_rows(tmp_path / "rows", [(7, [kept, kept])])
    found = read_rows(tmp_path / "rows", 7)
    assert len(found) == 2
    for rows in found:
        assert (rows.energies.n_rows, rows.directions.n_rows) == (n_rows, 0)
        atol = 1e-12
        np.testing.assert_allclose(rows.energies.triangle, kept.energies.triangle, atol=atol)


def test_a_sample_is_the_same_whatever_the_cut(data):
    def sampled(*bounds):
        shards = list(cut(data, bounds))
        return Sample.of([s.features for s in shards], [s.parts[0] for s in shards], most=6)

    whole, parts = sampled(0, 14), sampled(0, 3, 4, 9, 14)
    train = data.features[1].select(data.parts[0])
    for s in (8, 29):
        known = train.features[train.species == s]
        assert whole.counts[s] == parts.counts[s] == len(known) > 6
        np.testing.assert_array_equal(
            whole.features[1][whole.species == s], known[evenly(len(known), 6)]
        )
    for layer in (1, 2):
        np.testing.assert_array_equal(whole.features[layer], parts.features[layer])
    np.testing.assert_array_equal(whole.species, parts.species)


def test_a_rare_atom_that_is_no_candidate_is_found_when_refined(rng):
    atoms = 0.01 * rng.normal(size=(2 * CANDIDATES, 2)).astype(np.float32)
    others = np.setdiff1d(np.arange(len(atoms)), evenly(len(atoms), CANDIDATES))
    atoms[others[5]] = 30.0
    _, once = choose_inducing({29: atoms}, Gaussian(1.0), 4)
    _, twice = choose_inducing({29: atoms}, Gaussian(1.0), 4, refined=[29])
    assert others[5] not in once
    assert others[5] in twice


def test_what_is_far_off_does_not_decide(data, rng):
    """Of a frame on which a network fails by ever more, a fit takes no ever more notice."""
    one = data.of(0)
    parts = [data.parts[0], data.parts[1]]
    basis = next(
        settings_of(
            Sample.of([data.features], [parts[0]]), "gaussian", "whitened", "cholesky", OPTIONS
        )
    ).basis
    norms = []
    for far in (1e3, 1e6, 1e9):
        energy = one.energy.copy()
        energy[parts[0][2]] = far
        (rows, _) = rows_of(basis, (1, 2), replace(one, energy=energy), 0.0)
        norms.append(np.linalg.norm(rows.energies.triangle[:, -1]))
    unweighted, _ = rows_of(basis, (1, 2), replace(one, energy=energy), 0.0, weighted=False)
    assert norms[1] == pytest.approx(norms[0], rel=1e-3)
    assert norms[2] == pytest.approx(norms[0], rel=1e-3)
    assert np.linalg.norm(unweighted.energies.triangle[:, -1]) > 1e6


def test_times_expected_are_of_what_is_farthest_off():
    targets = np.array([[0.1, -0.2], [0.5, -3.0], [7.0, 2.0]])
    np.testing.assert_array_equal(times_expected(targets, FAR_ENERGY), [1.0, 3.0, 7.0])
    np.testing.assert_array_equal(times_expected(targets[:, 1], 0.5), [1.0, 6.0, 4.0])
    assert times_expected(np.zeros(0), 1.0).shape == (0,)
