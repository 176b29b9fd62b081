"""Fits of kernel ridge regression: every method on every layer, what is free chosen from a grid.

Their tables are described in `mekrr.study.experiments.fits`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from ase.data import atomic_numbers, chemical_symbols

from mekrr.choices import EXTENSIVE, INTENSIVE
from mekrr.features.store import FrameFeatures
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
from mekrr.study.experiments.fits import Fit, predictions
from mekrr.study.recipes import GRID, Recipe


@dataclass(frozen=True)
class Grid:
    """Values that methods choose from: of α where a method does not say, and of λ."""

    alphas: np.ndarray
    regularisations: np.ndarray

    @classmethod
    def of(cls, alpha: Mapping[str, float], regularisation: Mapping[str, float]) -> Grid:
        """Make it from the settings of both, see `alpha_grid` and `regularisation_grid`."""
        return cls(alpha_grid(**alpha), regularisation_grid(**regularisation))


def fit_kernels(
    problems: Mapping[str, Problem],
    grams: Mapping[int, Gram],
    methods: Sequence[Recipe],
    grid: Grid,
    backbone: str,
    threads: int = 1,
    *,
    frames: FrameFeatures | None = None,
) -> Fit:
    """Fit kernel ridge regression of every method on every layer.

    Parameters
    ----------
    problems : by baseline, see `mekrr.study.recipes.Recipe`. Methods whose baseline is missing
        are left out.
    grams : per layer, columns in the order of the training frames.
    methods : on one atom kernel; of the extensive form only on one that is taken as it is.
    threads : values of α worked on at once.
    frames : features of all frames on any layer, for methods of the extensive form.
    """
    tables, choices, sweeps = [], [], []
    searches = _searches(problems, methods, grid, frames)
    train = next(iter(problems.values())).members("train")
    for layer, stored in grams.items():
        for form, of_form in searches.items():
            gram = stored if form == INTENSIVE else _per_atom(stored, frames, train)
            found, swept = select(gram, [*of_form.values()], grid.regularisations, threads)
            if form == next(iter(searches)):
                sweeps.append(swept[0].assign(backbone=backbone, layer=layer))
            for (name, search), choice in zip(of_form.items(), found, strict=True):
                model = KernelModel(choice.alpha, choice.regularisation).fit(search.problem, gram)
                values = model.predict(search.problem, gram)
                tables.append(predictions(search.problem, name, backbone, layer, *values))
                row = {"method": name, "backbone": backbone, "layer": layer}
                choices.append(row | choice_columns(choice, gram.lengthscale))
    table = pd.DataFrame(choices)
    error = table["leave_one_out_rmse"].fillna(table["validation_rmse"])
    table["chosen"] = table.index.isin(error.groupby(table["method"]).idxmin())
    return Fit(pd.concat(tables, ignore_index=True), table, pd.concat(sweeps, ignore_index=True))


def _searches(
    problems: Mapping[str, Problem],
    methods: Sequence[Recipe],
    grid: Grid,
    frames: FrameFeatures | None,
) -> dict[str, dict[str, Search]]:
    """The search of each method by its name, by form; see `fit_kernels`.

    Those of one form and baseline have the same problem, so that they share its reductions.
    """
    searches: dict[str, dict[str, Search]] = {}
    for form in dict.fromkeys(method.form for method in methods):
        of_form = problems
        if form == EXTENSIVE:
            assert frames is not None
            of_form = {name: p.per_atom(frames.n_atoms) for name, p in problems.items()}
        searches[form] = {
            method.name: Search(
                of_form[method.baseline],
                grid.alphas if method.alpha is GRID else np.array([method.alpha]),
                method.criterion,
                method.by_species,
            )
            for method in methods
            if method.form == form and method.baseline in of_form
        }
    return {form: of_form for form, of_form in searches.items() if of_form}


def _per_atom(gram: Gram, frames: FrameFeatures | None, train: np.ndarray) -> Gram:
    """Stored kernels as those of energies per atom."""
    assert frames is not None
    species = replace(frames, features=frames.features[:, :0])  # all that is needed of them
    return gram.per_atom(species, species.select(train))


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
