"""What each part of a sparse model that learns forces is worth: one thing is changed at a time.

The base is the model as the study fits it; what it leaves open (λ, weight of energies, lengthscale,
layers) is chosen anew on validation frames for each change. Features and their derivatives are
those that are stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mekrr.choices import METRICS
from mekrr.kernels.atom import KERNELS, RADIAL
from mekrr.models.problem import Problem
from mekrr.models.sparse.fit import rows_of
from mekrr.models.sparse.inducing import WAYS
from mekrr.models.sparse.select import numbers_to_try
from mekrr.study.experiments.kinds.sparse import Models

CHOSEN = ["method", "layers", "lengthscale", "inducing", "sigma_energy", "regularisation"]
VALIDATION = ["validation_rmse", "validation_force_rmse"]
TEST = ["test_rmse", "test_force_rmse", "test_reactive_rmse"]
SHARES = (4, 2)  # parts of the inducing atoms that are tried


def ablation_sparse(kind: Models, problem: Problem, single: np.ndarray) -> pd.DataFrame:
    """Return the errors of the methods of a kind under each change.

    Parameters
    ----------
    kind : the models as the study fits them.
    single : (n_directions,) whether a direction is a component of one atom, not a random one.

    Returns
    -------
    DataFrame with `CHOSEN` as in `mekrr.study.experiments.kinds.sparse`; validation_rmse and
    test_rmse (meV/atom); in meV/Å validation_force_rmse, along the directions that were learnt,
    and test_force_rmse and test_reactive_rmse, along the stored random ones and the components
    of reactive atoms, NaN where there are none; factor, setting, and unchanged, whether it is
    the study's. No rows where no frame has forces.
    """
    known = np.isin(_frames(kind), problem.members("test"))
    tested = [_along(kind, known & ~single), _along(kind, known & single)]
    base = _errors(kind, problem, tested)
    tables = [base.assign(factor="", setting="", unchanged=True)[:0]]
    for factor, setting, changed in changes(kind, single) if len(base) else ():
        errors = base if changed is kind else _errors(changed, problem, tested)
        tables.append(errors.assign(factor=factor, setting=setting, unchanged=changed is kind))
    return pd.concat(tables, ignore_index=True)


def _errors(kind: Models, problem: Problem, tested: list[Models]) -> pd.DataFrame:
    """Return what is chosen and how it does, a row for each method."""
    kind.choose(problem)
    recipes, rows = {method.name: replace(method, forces=True) for method in kind.methods}, []
    for method, (own, fitted) in kind.fitted.items():
        model, choice = fitted.model, fitted.choice
        errors = []
        for one in tested:
            data = one.data(own, recipes[method], [own.members("test")])
            given = model.basis, fitted.layers, data, model.constant
            (found,) = rows_of(*given, weighted=False)
            errors.append(found.errors(model.coefficients[None])[0])
        (energy, random), (_, reactive) = errors
        in_milli = (choice.sigma_energy, choice.energy, choice.force, energy, random, reactive)
        sigma, *of_frames = (1000.0 * value for value in in_milli)
        layers = "+".join(map(str, fitted.layers))
        basis = (model.basis.kernel.lengthscale, len(model.basis))
        rows.append((method, layers, *basis, sigma, choice.regularisation, *of_frames))
    return pd.DataFrame(rows, columns=[*CHOSEN, *VALIDATION, *TEST])


def changes(kind: Models, single: np.ndarray) -> Iterator[tuple[str, str, Models]]:
    """Yield factor, setting and models of each change; the kind itself where it is none."""

    def others(factor: str, name: str, settings: dict[str, Any]) -> Iterator:
        for setting, value in settings.items():
            same = value == getattr(kind, name)
            yield factor, setting, kind if same else _changed(kind, **{name: value})

    yield from others("metric", "metric", {name: name for name in METRICS})
    together = kind.views[-1]
    if len(kind.views) > 1:
        yield "layers", "chosen on validation", kind
    views = dict.fromkeys([*((layer,) for layer in together), together])
    yield from others("layers", "views", {"+".join(map(str, view)): [view] for view in views})
    for name in RADIAL:
        yield "atom kernel", KERNELS[name].label, _with_methods(kind, kernel=name)
    for alpha in (0.0, 0.5, 1.0):
        yield "α", f"{alpha:g}", _with_methods(kind, alpha=alpha)
    yield from _directions(kind, single)
    most = numbers_to_try(kind.inducing)[-1]
    if most != kind.inducing:
        yield "inducing atoms", "chosen on validation", kind
    numbers = [*(most // share for share in SHARES if most >= share), most]
    yield from others("inducing atoms", "inducing", {str(number): number for number in numbers})
    yield from others("inducing atoms by", "way", {name: name for name in WAYS})


def _directions(kind: Models, single: np.ndarray) -> Iterator[tuple[str, str, Models]]:
    """Energies alone, and fewer of the directions that are stored."""
    place = np.arange(len(single)) - next(iter(kind.directions.values())).begins[_frames(kind)]
    most = int(place[~single].max(initial=-1)) + 1
    rest = " + reactive" if single.any() else ""
    yield "directions", "none", _with_methods(kind, forces=False)
    if rest:
        yield "directions", "reactive alone", _along(kind, single)
    for number in 2 ** np.arange(max(most - 1, 0).bit_length()):
        yield "directions", f"{number}{rest}", _along(kind, single | (place < number))
    if rest:
        yield "directions", f"{most}", _along(kind, ~single)
    yield "directions", f"{most}{rest}", kind


def _frames(kind: Models) -> np.ndarray:
    """Return the frame (n_directions,) of each direction."""
    counts = next(iter(kind.directions.values())).counts
    return np.repeat(np.arange(len(counts)), counts)


def _along(kind: Models, kept: np.ndarray) -> Models:
    """Return a kind with some of its directions."""
    directions = {layer: every.keep(kept) for layer, every in kind.directions.items()}
    return _changed(kind, directions=directions, slope=kind.slope[kept])


def _with_methods(kind: Models, **changes: Any) -> Models:
    """Return a kind with other settings of its methods; the same if these are its own."""
    methods = [replace(method, **changes) for method in kind.methods]
    return kind if methods == kind.methods else _changed(kind, methods=methods)


def _changed(kind: Models, **settings: Any) -> Models:
    """Return a kind with other settings, by the names of its attributes."""
    changed = copy(kind)
    vars(changed).update(settings)
    return changed
