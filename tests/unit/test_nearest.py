"""Nearest points by a tree of projections are those among all pairs."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mekrr.data import nearest
from mekrr.data.nearest import NearestPoints


def walk(n, d, rng):
    """Points of a trajectory, which differ along some axes more than along others."""
    return np.cumsum(rng.normal(size=(n, d)), axis=0) * np.linspace(0.001, 0.05, d)


def rattled(n, d, rng):
    return 0.2 * rng.normal(size=(n, d))


def repeated(n, d, rng):
    return rng.normal(size=(5, d))[rng.integers(5, size=n)]


def mixed(n, d, rng):
    few = n // 3
    return np.concatenate([walk(few, d, rng), rattled(few, d, rng), repeated(n - 2 * few, d, rng)])


def by_hand(points, queries, others, k, within):
    distances = cdist(points[queries], points[others])
    distances[np.equal.outer(queries, others) | (distances >= within)] = np.inf
    return np.sort(distances, axis=1)[:, :k]


def found(points, queries, others, k, **how):
    rows, distances = np.zeros((len(queries), k), int), np.full((len(queries), k), np.inf)
    for block, near, far in NearestPoints(points, others).of(queries, k, **how):
        rows[block, : near.shape[1]], distances[block, : far.shape[1]] = near, far
    return rows, distances


@pytest.mark.parametrize("make", [walk, rattled, repeated, mixed])
@pytest.mark.parametrize(("k", "within"), [(1, np.inf), (1, 0.3), (7, np.inf), (40, 0.5)])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_nearest_are_those_of_all_pairs(rng, monkeypatch, make, k, within, kind):
    monkeypatch.setattr(nearest, "ROWS", 100)
    monkeypatch.setattr(nearest, "PROPOSED", (10, 30))
    points = make(600, 30, rng).astype(kind)
    queries, others = rng.permutation(600)[:250], np.sort(rng.permutation(600)[:400])
    expected = by_hand(points.astype(float), queries, others, k, within)
    for pairs, columns in ((4e6, 1000), (4e6, 90), (0, 1000)):
        monkeypatch.setattr(nearest, "ALL_PAIRS", pairs)
        monkeypatch.setattr(nearest, "COLUMNS", columns)
        rows, distances = found(points, queries, others, k, within=within)
        np.testing.assert_allclose(distances, expected, atol=1e-6)
        # And they are those of the points that are named.
        own = np.linalg.norm(points[rows].astype(float) - points[queries][:, None], axis=2)
        there = np.isfinite(distances)
        np.testing.assert_allclose(own[there], distances[there], atol=1e-6)
        assert (rows != queries[:, None])[there].all()
        assert np.isin(rows, others).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_points(rng, monkeypatch, n):
    points = rng.normal(size=(n, 4))
    for pairs in (4e6, 0):
        monkeypatch.setattr(nearest, "ALL_PAIRS", pairs)
        _, distances = found(points, np.arange(n), np.arange(n), 2)
        expected = by_hand(points, np.arange(n), np.arange(n), 2, np.inf)
        np.testing.assert_allclose(distances[:, : expected.shape[1]], expected, atol=1e-7)


def test_only_close_ones_are_exact_of_very_many(rng, monkeypatch):
    """Beyond, a distance is that of some point: never less than that to the nearest."""
    monkeypatch.setattr(nearest, "ALL_PAIRS", 0)
    monkeypatch.setattr(nearest, "MOST_PAIRS", 0)
    monkeypatch.setattr(nearest, "PROPOSED", (5, 10))
    points = rattled(800, 30, rng)
    points[::40] = points[1::40] + 1e-3
    every = np.arange(800)
    expected = by_hand(points, every, every, 1, np.inf)[:, 0]
    _, distances = found(points, every, every, 1, exact=0.1)
    close = expected < 0.1
    assert close.sum() == 40
    np.testing.assert_allclose(distances[close, 0], expected[close], atol=1e-9)
    assert (distances[:, 0] >= expected - 1e-9).all()
    assert 0 < np.mean(distances[:, 0] > expected + 1e-9) < 0.9
