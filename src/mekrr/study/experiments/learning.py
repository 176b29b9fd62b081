"""Test error against the number of training frames, of models of any kind.

The subsets are nested, see `mekrr.data.splits.subset`. Test frames stay the same.
The last point, all training frames, is the fit of the study itself.
References, α, λ and the layer follow from the subset alone; the lengthscale, which needs no
energy, stays that of all training frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from mekrr.data.references import Rule
from mekrr.data.splits import subset
from mekrr.metrics import metrics
from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import Fit
from mekrr.study.tables.tidy import FIT, NO_LAYER

COLUMNS = ["method", "backbone", "n_train", "n_val", "rmse", "mae"]


def fewer_frames(
    problem: Problem, n_train: Sequence[int], seed: int, rule: Rule, source: str
) -> Iterator[Problem]:
    """Yield the problem with each of ``n_train`` training frames, where it has more than these.

    ``rule`` is that of the references, ``source`` the name of the data set.
    """
    for n in sorted(n for n in n_train if n < len(problem.members("train"))):
        yield Problem.of(problem.frames, subset(problem.split, n, seed), rule, source)


def learning_curve(
    fit: Callable[[Problem], Fit],
    problem: Problem,
    n_train: Sequence[int],
    seed: int,
    rule: Rule,
    source: str,
    forces: Callable[[Problem, Fit], pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Return the test errors of methods on nested subsets of the training frames.

    Parameters
    ----------
    fit : what fits them to a problem, see `mekrr.study.experiments.kinds.Kind`.
    problem : all frames under their split; its references are not used.
    n_train : numbers of training frames; those that are not below all are left out.
    seed, rule, source : as for `fewer_frames`.
    forces : finds the errors of a fit's forces, see `mekrr.study.experiments.forces`.

    Returns
    -------
    DataFrame with ``COLUMNS``, errors in meV/atom, and those of ``forces``.
    """
    tables = []
    for part in fewer_frames(problem, n_train, seed, rule, source):
        counts = {f"n_{name}": len(part.members(name)) for name in ("train", "val")}
        fitted = fit(part)
        table = chosen_errors(fitted).assign(**counts)[COLUMNS]
        if forces is not None:
            table = table.merge(forces(part, fitted), how="left", on="method")
        tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def chosen_errors(fit: Fit) -> pd.DataFrame:
    """Return the errors (meV/atom) of each method on test frames, on the layer it chose."""
    by = ["method", "backbone", "layer"]
    test = fit.predictions[fit.predictions["split"] == "test"]
    chosen = fit.choices[fit.choices["chosen"]].reindex(columns=by)  # some have no layer
    return metrics(test.fillna({"layer": NO_LAYER}), by).merge(chosen.fillna({"layer": NO_LAYER}))


def with_whole_set(
    table: pd.DataFrame, errors: pd.DataFrame, forces: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return learning curves that end in the fits of the study, on all training frames.

    Parameters
    ----------
    table : errors on subsets: dataset, strategy, seed and ``COLUMNS``, and those of forces.
    errors : the table of errors of all fits and parts.
    forces : errors of forces of fits, see `mekrr.metrics.force_errors`; None
        for none.
    """
    parts = errors[errors["chosen"]].set_index(["split", *FIT]).sort_index()
    whole = parts.loc["test", ["rmse", "mae"]].assign(
        n_train=parts.loc["train", "n_frames"], n_val=parts.loc["val", "n_frames"]
    )
    whole = table[FIT].drop_duplicates().merge(whole.reset_index(), on=FIT)
    if forces is not None:
        whole = whole.merge(forces, how="left", on=FIT)
    curves = pd.concat([table, whole], ignore_index=True)
    return curves.astype({c: "Int64" for c in curves if c == "force_frames"})
