"""Are predicted standard deviations right? Coverage of central intervals on test frames.

If the error of each frame were normal with the predicted standard deviation, a share p of
the frames would fall into the central interval of probability p, for every p between 0 and
1. The share that does is the observed coverage; against p it is the reliability curve, and
the area between it and the diagonal the miscalibration area: 0 at best, 1/2 at worst.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import erf

EXPECTED = np.linspace(0.0, 1.0, 101)  # p at which reliability curves are given


def reached(predictions: pd.DataFrame) -> np.ndarray:
    """(n,) probability of the smallest central interval that holds each reference energy.

    With z the error in units of the standard deviation it is erf(|z|/√2): 0 where the
    prediction is exact, near 1 in the tails, uniform if the standard deviations are right.
    """
    return erf(np.abs(_z(predictions)) / np.sqrt(2.0))


def reliability(predictions: pd.DataFrame) -> pd.DataFrame:
    """Observed coverage at each of ``EXPECTED``: columns expected, observed."""
    order = np.sort(reached(predictions))
    observed = np.searchsorted(order, EXPECTED, side="right") / len(order)
    return pd.DataFrame({"expected": EXPECTED, "observed": observed})


def miscalibration_area(predictions: pd.DataFrame) -> float:
    """∫ |observed - p| dp over the step function itself, without a grid."""
    order = np.sort(reached(predictions))
    edges = np.concatenate([[0.0], order, [1.0]])
    observed = np.arange(len(order) + 1) / len(order)  # between consecutive edges

    def integral(p: np.ndarray) -> np.ndarray:
        return 0.5 * (p - observed) * np.abs(p - observed)

    return float(np.sum(integral(edges[1:]) - integral(edges[:-1])))


def calibration(predictions: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Calibration of each group of predictions that has standard deviations.

    Parameters
    ----------
    predictions : tidy table with energy_ref, energy_pred, energy_std (eV) and n_atoms.
    by : columns that make a group.

    Returns
    -------
    DataFrame with ``by`` and n_frames, miscalibration_area, sharpness (root mean square of
    the predicted standard deviation, meV/atom) and mean_z2 (mean of z², 1 at best: above it
    the standard deviations are too small).
    """
    rows = []
    for key, group in _groups(predictions, by):
        per_atom = 1000.0 * group["energy_std"] / group["n_atoms"]
        rows.append(
            {
                **key,
                "n_frames": len(group),
                "miscalibration_area": miscalibration_area(group),
                "sharpness": float(np.sqrt(np.mean(np.square(per_atom)))),
                "mean_z2": float(np.mean(np.square(_z(group)))),
            }
        )
    return pd.DataFrame(rows)


def reliability_curves(predictions: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Reliability curve of each group of predictions that has standard deviations."""
    curves = [reliability(group).assign(**key) for key, group in _groups(predictions, by)]
    return pd.concat(curves, ignore_index=True)[[*by, "expected", "observed"]]


def _groups(predictions: pd.DataFrame, by: Sequence[str]):
    known = predictions[predictions["energy_std"].notna()]
    for key, group in known.groupby(list(by), sort=False):
        yield dict(zip(by, key, strict=True)), group


def _z(predictions: pd.DataFrame) -> np.ndarray:
    """(n,) errors in units of the standard deviation; an error of 0 is 0 of any, 0 too."""
    error = predictions["energy_pred"] - predictions["energy_ref"]
    return (error / predictions["energy_std"]).where(error != 0, 0.0).to_numpy()
