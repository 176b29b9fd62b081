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
    asks for them, leave_one_out_rmse, leave_one_out_mae (meV/atom)
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
from ase.data import atomic_numbers, chemical_symbols

from mekrr.files import write_csv
from mekrr.kernels.gram import Gram
from mekrr.models.kernel import KernelModel
from mekrr.models.problem import Problem
from mekrr.models.select import (
    Choice,
    Search,
    alpha_grid,
    regularisation_grid,
    select,
)
from mekrr.study.recipes import GRID, Recipe


@dataclass(frozen=True)
class Fit:
    """Result of one or several methods: the tables described in the module."""

    predictions: pd.DataFrame
    choices: pd.DataFrame
    sweep: pd.DataFrame = field(default_factory=pd.DataFrame)
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class Grid:
    """Values that methods choose from: of α where a method does not say, and of λ."""

    alphas: np.ndarray
    regularisations: np.ndarray

    @classmethod
    def of(cls, alpha: Mapping[str, float], regularisation: Mapping[str, float]) -> Grid:
        """Make it from the settings of both, see `alpha_grid` and `regularisation_grid`."""
        return cls(alpha_grid(**alpha), regularisation_grid(**regularisation))


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


def fit_kernels(
    problems: Mapping[str, Problem],
    grams: Mapping[int, Gram],
    methods: Sequence[Recipe],
    grid: Grid,
    backbone: str,
    threads: int = 1,
) -> Fit:
    """Fit kernel ridge regression of every method on every layer.

    Parameters
    ----------
    problems : by baseline, see `mekrr.study.recipes.Recipe`. Methods whose baseline is missing
        are left out.
    grams : per layer, columns in the order of the training frames.
    methods : on one atom kernel.
    threads : values of α worked on at once.
    """
    methods = [method for method in methods if method.baseline in problems]
    tables, choices, sweeps = [], [], []
    searches = [
        Search(
            problems[method.baseline],
            grid.alphas if method.alpha is GRID else np.array([method.alpha]),
            method.criterion,
            method.by_species,
        )
        for method in methods
    ]
    for layer, gram in grams.items():
        found, swept = select(gram, searches, grid.regularisations, threads)
        sweeps.append(swept[0].assign(backbone=backbone, layer=layer))
        for method, search, choice in zip(methods, searches, found, strict=True):
            model = KernelModel(choice.alpha, choice.regularisation).fit(search.problem, gram)
            values = model.predict(search.problem, gram)
            tables.append(predictions(search.problem, method.name, backbone, layer, *values))
            row = {"method": method.name, "backbone": backbone, "layer": layer}
            choices.append(row | choice_columns(choice, gram.lengthscale))
    table = pd.DataFrame(choices)
    error = table["leave_one_out_rmse"].fillna(table["validation_rmse"])
    table["chosen"] = table.index.isin(error.groupby(table["method"]).idxmin())
    return Fit(pd.concat(tables, ignore_index=True), table, pd.concat(sweeps, ignore_index=True))


def choice_columns(choice: Choice, lengthscale: float) -> dict[str, object]:
    """Return the cells of the table of choices; `read_alpha` reads those of α."""
    alpha, text = choice.alpha, None
    if isinstance(alpha, Mapping):
        text = ", ".join(f"{chemical_symbols[s]} {float(a)!r}" for s, a in alpha.items())
        alpha = np.nan
    return {
        "alpha": alpha,
        "alphas_by_species": text,
        "regularisation": choice.regularisation,
        "lengthscale": lengthscale,
        "validation_rmse": choice.validation_rmse,
        "leave_one_out_rmse": choice.leave_one_out_rmse,
    }


def read_alpha(choice: Mapping) -> float | dict[int, float]:
    """Return α of a row of the table of choices, or that of each species."""
    text = choice.get("alphas_by_species")
    if pd.isna(text):
        return float(choice["alpha"])
    pairs = (pair.split() for pair in text.split(", "))
    return {atomic_numbers[symbol]: float(alpha) for symbol, alpha in pairs}


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
