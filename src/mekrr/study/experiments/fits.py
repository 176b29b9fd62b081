"""Fits of the study's methods to one problem, as tidy tables, whatever their kind.

A job fits the methods of one kind to what it has of a data set: `Constants` to energies alone,
`Potentials` to frames, `Networks` to states of their frozen layers, `Kernels` to features. Each
of these knows how to fit to a problem, and how to predict another data set's frames; learning
curves and transfer go by that.

Tables
------
predictions : method, backbone, layer, index, frame, split, n_atoms, energy_ref, energy_pred,
    energy_std (eV; empty for methods without)
choices : method, backbone, layer, alpha, alphas_by_species, regularisation, lengthscale,
    validation_rmse, leave_one_out_rmse (meV/atom), chosen
sweep : backbone, layer, alpha, regularisation, rmse, mae (validation) and, where a method
    asks for them, leave_one_out_rmse, leave_one_out_mae (meV/atom); of the first method
history : method, backbone, epoch, train_rmse, val_rmse, val_mae (meV/atom), lr
costs : method, backbone and, for networks, trained_weights, epochs, best_epoch, and seconds of
    the processor: trunk_seconds for all frames of the data set, training_seconds, and
    prediction_seconds for each frame, of a network beyond its trunk

Each starts with dataset, strategy, seed once written. ``chosen`` marks, per method, the
layer with the least error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd

from mekrr.files import write_csv
from mekrr.models.problem import Problem


@dataclass(frozen=True)
class Fit:
    """Result of one or several methods: the tables described in the module."""

    predictions: pd.DataFrame
    choices: pd.DataFrame
    sweep: pd.DataFrame = field(default_factory=pd.DataFrame)
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)


def predictions(
    problem: Problem,
    method: str,
    backbone: str,
    layer: int | None,
    residual: np.ndarray,
    std: np.ndarray | float = np.nan,
) -> pd.DataFrame:
    """Return the tidy table of a method's predictions, from residual energies (eV).

    ``std`` are the standard deviations of these; they count what is undetermined of the baseline.
    """
    return pd.DataFrame(
        {
            "method": method,
            "backbone": backbone,
            "layer": layer,
            "index": problem.frames["index"],
            "frame": problem.frames["frame"],
            "split": problem.split,
            "n_atoms": problem.n_atoms,
            "energy_ref": problem.energy,
            "energy_pred": problem.baseline + residual,
            "energy_std": problem.std(std),
        }
    )


def unchosen(problem: Problem, method: str, backbone: str, residual: np.ndarray) -> Fit:
    """Return the result of a method without layers or parameters to choose."""
    return Fit(
        predictions(problem, method, backbone, None, residual),
        pd.DataFrame([{"method": method, "backbone": backbone, "chosen": True}]),
    )


def join(fits: Sequence[Fit]) -> Fit:
    """Return several results as one."""
    return Fit(
        *(
            pd.concat([getattr(fit, table.name) for fit in fits], ignore_index=True)
            for table in fields(Fit)
        )
    )


def write_fit(fit: Fit, labels: Mapping[str, str], paths: Mapping[str, str]) -> None:
    """Write the tables that ``paths`` names, each row opened by data set, strategy, seed."""
    for table, path in paths.items():
        frame = getattr(fit, table)
        for position, column in enumerate(("dataset", "strategy", "seed")):
            frame.insert(position, column, labels[column])
        write_csv(path, frame)
