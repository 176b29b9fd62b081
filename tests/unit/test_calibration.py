"""Calibration of standard deviations against cases that are known analytically."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from mekrr.study.experiments.calibration import (
    calibration,
    miscalibration_area,
    of_energies,
    of_slopes,
    reliability,
    reliability_curves,
)

N = 2000
BY = ["method", "seed"]


def table(z, std=0.1, method="m"):
    """Errors of predictions that err by z standard deviations, frames of 50 atoms."""
    return of_energies(predicted(z, std, method))


def found(errors):
    return calibration(errors, BY, "n_frames").loc[0]


def predicted(z, std, method="m"):
    z = np.asarray(z, dtype=float)
    return pd.DataFrame(
        {
            "method": method,
            "seed": 3,
            "n_atoms": 50,
            "energy_ref": -100.0,
            "energy_pred": -100.0 + std * z,
            "energy_std": std,
        }
    )


@pytest.fixture
def normal():
    """Errors at the quantiles of the normal distribution: a sample without chance."""
    return norm.ppf((np.arange(N) + 0.5) / N)


def test_perfect_errors(normal):
    row = found(table(normal))
    assert row["miscalibration_area"] < 1 / N
    assert row["mean_z2"] == pytest.approx(1.0, abs=0.01)
    assert row["n_frames"] == N
    within = [row["within_1_std"], row["within_2_std"]]
    assert within == pytest.approx([norm.cdf(k) - norm.cdf(-k) for k in (1, 2)], abs=1 / N)
    curve = reliability(table(normal))
    np.testing.assert_allclose(curve["observed"], curve["expected"], rtol=0, atol=2 / N)


@pytest.mark.parametrize("factor", [0.5, 2.0, 5.0])
def test_standard_deviations_wrong_by_a_factor(normal, factor):
    """P(|u| < |v|/f) of two normal variables is 2/π atan(1/f)."""
    predictions = table(normal / factor, std=0.1 * factor)
    row = found(predictions)
    expected = abs(0.5 - 2 / np.pi * np.arctan(1 / factor))
    assert row["miscalibration_area"] == pytest.approx(expected, abs=2 / N)
    assert row["mean_z2"] == pytest.approx(1 / factor**2, rel=0.01)
    curve = reliability(predictions).set_index("expected")["observed"]
    assert (curve[0.5] > 0.5) == (factor > 1)
    within = norm.cdf(factor * norm.ppf(0.75)) - norm.cdf(-factor * norm.ppf(0.75))
    assert curve[0.5] == pytest.approx(within, abs=2 / N)


@pytest.mark.parametrize("z", [0.0, 1e9])
def test_worst_cases(z):
    assert miscalibration_area(table(np.full(7, z))) == pytest.approx(0.5)


def test_area_equals_a_fine_sum(rng):
    predictions = table(rng.normal(size=23) ** 3)
    p = np.linspace(0, 1, 200_001)[:-1] + 0.5 / 200_000
    z = np.abs(predictions["energy_pred"] + 100.0).to_numpy() / 0.1
    observed = (z[:, None] <= norm.ppf(0.5 + p / 2)).mean(axis=0)
    expected = np.abs(observed - p).mean()
    assert miscalibration_area(predictions) == pytest.approx(expected, abs=1e-5)


def test_sharpness_is_per_atom_in_mev():
    sharpness = found(table([1.0, -1.0], std=np.array([0.03, 0.04])))["sharpness"]
    assert sharpness == pytest.approx(np.sqrt((0.6**2 + 0.8**2) / 2))


def test_methods_without_standard_deviations_are_left_out(normal):
    without = predicted(normal, 0.1, "mean").assign(energy_std=np.nan)
    mixed = of_energies(pd.concat([predicted(normal, 0.1), without]))
    assert calibration(mixed, BY, "n")["method"].tolist() == ["m"]
    curves = reliability_curves(mixed, BY)
    assert list(curves.columns) == [*BY, "expected", "observed"]
    assert set(curves["method"]) == {"m"}
    assert curves["observed"].is_monotonic_increasing
    assert curves["observed"].iloc[-1] == 1.0


def test_standard_deviations_of_nothing_and_everything():
    """0 where the prediction is exact, infinite after a fit to constant energies: no NaN."""
    exact = table(np.zeros(4), std=0.0)
    endless = of_energies(predicted(np.ones(4), 0.1).assign(energy_std=np.inf))
    for predictions in (exact, endless):
        row = found(predictions)
        assert (row["mean_z2"], row["miscalibration_area"]) == (0.0, 0.5)


def test_forces_are_in_mev_per_angstrom(normal):
    std = np.linspace(0.01, 0.3, N)
    slopes = pd.DataFrame({"method": "m", "seed": 3, "slope_ref": 2.0, "slope_std": std})
    row = found(of_slopes(slopes.assign(slope_pred=2.0 + normal * std)))
    assert row["n_frames"] == N
    assert row["miscalibration_area"] < 1 / N
    assert row["sharpness"] == pytest.approx(1000 * np.sqrt(np.mean(std**2)))


def test_without_forces_there_are_no_rows():
    nothing = of_slopes(pd.DataFrame(columns=[*BY, "slope_ref", "slope_pred", "slope_std"]))
    assert list(calibration(nothing, BY, "n_directions"))[:3] == [*BY, "n_directions"]
    assert list(reliability_curves(nothing, BY)) == [*BY, "expected", "observed"]
