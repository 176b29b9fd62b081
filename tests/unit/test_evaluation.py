"""Per-atom errors by hand, and the coverage of bootstrap intervals."""

import numpy as np
import pandas as pd
import pytest
from tolerances import COVERAGE

from mekrr.metrics import RESAMPLES, _resamples, block_bootstrap, largest_errors, metrics


def predictions(errors, n_atoms=10, **columns):
    """A table with errors given in meV/atom."""
    errors = np.asarray(errors, dtype=float)
    return pd.DataFrame(
        {
            **columns,
            "n_atoms": n_atoms,
            "energy_ref": -5.0,
            "energy_pred": -5.0 + errors * n_atoms / 1000.0,
        }
    )


def test_errors_by_hand():
    table = pd.concat(
        [predictions([3.0, -1.0], method="a"), predictions([2.0, 2.0, 2.0, 2.0], 47, method="b")]
    )
    a, b = (row for _, row in metrics(table, ["method"]).iterrows())
    assert a["n_frames"] == 2
    assert b["n_frames"] == 4
    expected = {"rmse": 5**0.5, "mae": 2, "largest": 3, "shift": 1, "rmse_shifted": 2}
    for name, value in expected.items():
        assert a[name] == pytest.approx(value), name
    assert a["mae_shifted"] == pytest.approx(2)
    assert b["rmse"] == b["mae"] == pytest.approx(2)
    assert b["shift"] == pytest.approx(2)
    assert b["rmse_shifted"] == pytest.approx(0, abs=1e-9)


def test_metrics_are_per_atom_in_mev():
    table = pd.DataFrame(
        {
            "method": "m",
            "frame": [7, 8],
            "n_atoms": [50, 100],
            "energy_ref": [1.0, 2.0],
            "energy_pred": [1.05, 1.6],
        }
    )
    row = metrics(table, ["method"]).iloc[0]
    assert row["rmse"] == pytest.approx(np.sqrt((1.0 + 16.0) / 2))
    assert row["mae"] == pytest.approx(2.5)
    assert row["largest"] == pytest.approx(4.0)
    assert largest_errors(table, ["method"], 1)["frame"].tolist() == [8]


def test_a_constant_shift_leaves_the_shifted_pair_alone(rng):
    errors = rng.normal(size=40)
    near, far = (metrics(predictions(errors + c, m=0), ["m"]).iloc[0] for c in (0.0, 830.0))
    for name in ("rmse_shifted", "mae_shifted"):
        assert near[name] == pytest.approx(far[name], rel=1e-6)
    assert far["mae"] == pytest.approx(830, abs=1)


def test_equal_errors_have_an_interval_without_width():
    ends = block_bootstrap(np.full(30, -2.0))
    assert ends == pytest.approx(dict.fromkeys(ends, 2.0))


def test_the_same_frames_give_the_same_interval(rng):
    errors = rng.normal(size=50)
    assert block_bootstrap(errors) == block_bootstrap(errors.copy())


def test_resamples_are_blocks_of_the_right_size():
    """Each row of the counts holds n frames, in runs of ⌈√n⌉ neighbours on a circle."""
    counts = _resamples(100)
    assert counts.shape == (RESAMPLES, 100)
    assert (counts.sum(axis=1) == 100).all()
    # A resample of 10 blocks has at most 10 frames whose predecessor was drawn less often.
    rises = (counts > np.roll(counts, 1, axis=1)).sum(axis=1)
    assert rises.max() <= 10
    assert counts.mean() == pytest.approx(1.0)
    assert np.abs(counts.mean(axis=0) - 1.0).max() < 0.2


def test_coverage_of_the_interval_of_independent_normal_errors(rng):
    """RMSE 1 and MAE √(2/π) of normal errors must lie inside about 95 times of a hundred."""
    inside = np.zeros(2)
    for _ in range(400):
        ends = block_bootstrap(rng.normal(size=200))
        inside += (
            ends["rmse_low"] <= 1.0 <= ends["rmse_high"],
            ends["mae_low"] <= np.sqrt(2 / np.pi) <= ends["mae_high"],
        )
    low, high = COVERAGE
    assert (inside / 400 > low).all()
    assert (inside / 400 < high).all()


def test_neighbours_that_err_alike_widen_the_interval(rng):
    """Errors repeated ten times over carry a tenth of the information: √10 times the width."""
    alike, apart = (
        np.mean([_width(block_bootstrap(draw())) for _ in range(20)])
        for draw in (
            lambda: np.repeat(rng.normal(size=40), 10),
            lambda: rng.normal(size=400),
        )
    )
    assert alike / apart == pytest.approx(np.sqrt(10), rel=0.25)


def _width(ends):
    return ends["rmse_high"] - ends["rmse_low"]
