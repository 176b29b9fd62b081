"""Fitting the methods on one data set, split and seed; everything comes out as tidy tables.

Tables
------
predictions : method, backbone, layer, index, frame, split, n_atoms, energy_ref, energy_pred
choices : method, backbone, layer, alpha, regularisation, lengthscale, validation_rmse, chosen
sweep : backbone, layer, alpha, regularisation, rmse, mae (validation, meV/atom)

Each starts with dataset, strategy, seed once written. ``chosen`` marks, per method, the
layer with the least validation RMSE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mekrr.data.references import reference_energies
from mekrr.files import write_csv
from mekrr.kernels.store import LayerKernel
from mekrr.ridge import KernelRidge
from mekrr.selection import Choice, choose, sweep


@dataclass(frozen=True)
class Fit:
    """Result of one or several methods: the tables described in the module."""

    predictions: pd.DataFrame
    choices: pd.DataFrame
    sweep: pd.DataFrame


@dataclass(frozen=True)
class Problem:
    """One data set under one split.

    Attributes
    ----------
    frames : the table of frames, in file order.
    split : (n_frames,) of "train", "val", "test".
    reference : (n_frames,) reference energies in eV, not for the methods to learn.
    """

    frames: pd.DataFrame
    split: np.ndarray
    reference: np.ndarray

    @classmethod
    def read(
        cls, frames: str, split: str, reference_energy: str | Mapping[str, float], source: str
    ) -> Problem:
        """From the files of the table of frames and of one split.

        ``reference_energy`` is the rule of `reference_energies`, ``source`` the name of the
        data set for error messages.
        """
        table, parts = pd.read_csv(frames), pd.read_csv(split)["split"].to_numpy()
        reference = reference_energies(
            table["formula"].tolist(),
            table["energy"].to_numpy(dtype=float),
            np.flatnonzero(parts == "train"),
            reference_energy,
            source,
        )
        return cls(table, parts, reference)

    def members(self, part: str) -> np.ndarray:
        """Indices of the frames of one part."""
        return np.flatnonzero(self.split == part)

    @property
    def energy(self) -> np.ndarray:
        """(n_frames,) reference energies in eV."""
        return self.frames["energy"].to_numpy(dtype=float)

    @property
    def target(self) -> np.ndarray:
        """(n_frames,) energies less their references in eV: what is learnt."""
        return self.energy - self.reference

    @property
    def n_atoms(self) -> np.ndarray:
        """(n_frames,) atoms of each frame."""
        return self.frames["n_atoms"].to_numpy()

    def predictions(
        self, method: str, backbone: str, layer: int | None, energy: np.ndarray
    ) -> pd.DataFrame:
        """Tidy table of one method's predicted energies (eV)."""
        return pd.DataFrame(
            {
                "method": method,
                "backbone": backbone,
                "layer": layer,
                "index": self.frames["index"],
                "frame": self.frames["frame"],
                "split": self.split,
                "n_atoms": self.n_atoms,
                "energy_ref": self.energy,
                "energy_pred": energy,
            }
        )

    def unfitted(self, method: str, backbone: str, energy: np.ndarray) -> Fit:
        """The result of a method without layers or hyper-parameters."""
        return Fit(
            self.predictions(method, backbone, None, energy),
            pd.DataFrame([{"method": method, "backbone": backbone, "chosen": True}]),
            pd.DataFrame(),
        )


def fit_kernels(
    problem: Problem,
    kernels: dict[int, LayerKernel],
    methods: dict[str, np.ndarray],
    regularisations: np.ndarray,
    backbone: str,
) -> Fit:
    """Kernel ridge regression of every method on every layer.

    Parameters
    ----------
    kernels : per layer, columns in the order of the training frames.
    methods : the values of α that each method may choose from.
    regularisations : the values of λ.
    """
    predictions, choices, sweeps = [], [], []
    all_alphas = np.unique(np.concatenate(list(methods.values())))
    train, val = problem.members("train"), problem.members("val")
    for layer, kernel in kernels.items():
        k0, k1 = kernel.gram.k0, kernel.gram.k1
        grid = sweep(
            k0,
            k1,
            problem.target,
            problem.n_atoms,
            train,
            val,
            all_alphas,
            regularisations,
        )
        sweeps.append(grid.assign(backbone=backbone, layer=layer))
        for method, alphas in methods.items():
            choice = choose(grid[grid["alpha"].isin(alphas)])
            energy = _predict(problem, kernel, choice)
            predictions.append(problem.predictions(method, backbone, layer, energy))
            choices.append(
                {
                    "method": method,
                    "backbone": backbone,
                    "layer": layer,
                    "alpha": choice.alpha,
                    "regularisation": choice.regularisation,
                    "lengthscale": kernel.lengthscale,
                    "validation_rmse": choice.validation_rmse,
                }
            )
    table = pd.DataFrame(choices)
    best = table.groupby("method")["validation_rmse"].idxmin()
    table["chosen"] = table.index.isin(best)
    return Fit(
        pd.concat(predictions, ignore_index=True), table, pd.concat(sweeps, ignore_index=True)
    )


def join(fits: list[Fit]) -> Fit:
    """Several results as one."""
    return Fit(
        *(
            pd.concat([getattr(fit, table) for fit in fits], ignore_index=True)
            for table in ("predictions", "choices", "sweep")
        )
    )


def write_fit(fit: Fit, labels: dict[str, str], paths: dict[str, str]) -> None:
    """Write the tables that ``paths`` names, each row opened by data set, strategy, seed."""
    for table, path in paths.items():
        frame = getattr(fit, table)
        for position, column in enumerate(("dataset", "strategy", "seed")):
            frame.insert(position, column, labels[column])
        write_csv(path, frame)


def _predict(problem: Problem, kernel: LayerKernel, choice: Choice) -> np.ndarray:
    """Energies (eV) of all frames from a fit on the training frames."""
    full = kernel.gram.at(choice.alpha)
    train = problem.members("train")
    model = KernelRidge(choice.regularisation).fit(full[train], problem.target[train])
    return problem.reference + model.predict(full)
