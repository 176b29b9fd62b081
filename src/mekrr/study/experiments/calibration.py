"""Are predicted standard deviations right? Coverage of central intervals on test frames.

If each error were normal with the predicted standard deviation, a share p of them would fall
into the central interval of probability p, for every p between 0 and 1. The share that does is
the observed coverage; against p it is the reliability curve, and the area between it and the
diagonal the miscalibration area: 0 at best, 1/2 at worst.

A table of errors has a row for each, of the energy of a frame or of the force along a direction
of one, with z, the error in units of its standard deviation, and std, the latter in meV/atom or
meV/Å. An error of 0 is 0 of any, 0 too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.special import erf

EXPECTED = np.linspace(0.0, 1.0, 101)  # p at which reliability curves are given
SHARES = {"within_1_std": 1.0, "within_2_std": 2.0}  # and below which |z|
FOUND = ["miscalibration_area", "sharpness", "mean_z2", *SHARES]


def of_energies(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the errors of predictions that have standard deviations: these with z and std.

    Parameters
    ----------
    predictions : tidy table with energy_ref, energy_pred, energy_std (eV) and n_atoms.
    """
    known = predictions[predictions["energy_std"].notna()]
    error = known["energy_pred"] - known["energy_ref"]
    std = 1000.0 * known["energy_std"] / known["n_atoms"]
    return known.assign(z=_z(error, known["energy_std"]), std=std)


def of_slopes(slopes: pd.DataFrame) -> pd.DataFrame:
    """Return the errors of forces along directions: their table with z and std.

    Parameters
    ----------
    slopes : see `mekrr.study.experiments.slopes`.
    """
    error = slopes["slope_pred"] - slopes["slope_ref"]
    return slopes.assign(z=_z(error, slopes["slope_std"]), std=1000.0 * slopes["slope_std"])


def reached(errors: pd.DataFrame) -> np.ndarray:
    """(n,) probability of the smallest central interval that holds each reference.

    It is erf(|z|/√2): 0 where the prediction is exact, near 1 in the tails, uniform if the
    standard deviations are right.
    """
    return erf(np.abs(errors["z"].to_numpy()) / np.sqrt(2.0))


def reliability(errors: pd.DataFrame) -> pd.DataFrame:
    """Observed coverage at each of ``EXPECTED``: columns expected, observed."""
    order = np.sort(reached(errors))
    observed = np.searchsorted(order, EXPECTED, side="right") / len(order)
    return pd.DataFrame({"expected": EXPECTED, "observed": observed})


def miscalibration_area(errors: pd.DataFrame) -> float:
    """∫ |observed - p| dp over the step function itself, without a grid."""
    order = np.sort(reached(errors))
    edges = np.concatenate([[0.0], order, [1.0]])
    observed = np.arange(len(order) + 1) / len(order)  # between consecutive edges

    def integral(p: np.ndarray) -> np.ndarray:
        return 0.5 * (p - observed) * np.abs(p - observed)

    return float(np.sum(integral(edges[1:]) - integral(edges[:-1])))


def calibration(errors: pd.DataFrame, by: Sequence[str], counted: str) -> pd.DataFrame:
    """Calibration of each group of a table of errors.

    Parameters
    ----------
    by : columns that make a group.
    counted : name of the column of their number.

    Returns
    -------
    DataFrame with ``by`` and ``counted``, miscalibration_area, sharpness (root mean square of
    the predicted standard deviation, in its unit), mean_z2 (mean of z², 1 at best: above it
    the standard deviations are too small), within_1_std and within_2_std (shares of errors not
    larger than so many standard deviations, 0.683 and 0.954 at best).
    """
    rows = [
        {
            **key,
            counted: len(group),
            "miscalibration_area": miscalibration_area(group),
            "sharpness": float(np.sqrt(np.mean(np.square(group["std"])))),
            "mean_z2": float(np.mean(np.square(group["z"].to_numpy()))),
            **{name: float(np.mean(np.abs(group["z"]) <= most)) for name, most in SHARES.items()},
        }
        for key, group in _groups(errors, by)
    ]
    return pd.DataFrame(rows, columns=[*by, counted, *FOUND])


def reliability_curves(errors: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Reliability curve of each group of a table of errors."""
    curves = [reliability(group).assign(**key) for key, group in _groups(errors, by)]
    columns = [*by, "expected", "observed"]
    return (
        pd.concat(curves, ignore_index=True)[columns] if curves else pd.DataFrame(columns=columns)
    )


def _groups(errors: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[dict, pd.DataFrame]]:
    for key, group in errors.groupby(list(by), sort=False):
        yield dict(zip(by, key, strict=True)), group


def _z(error: pd.Series, std: pd.Series) -> pd.Series:
    return (error / std).where(error != 0, 0.0)
