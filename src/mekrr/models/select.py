"""Choosing α and λ on validation frames or by leave-one-out; the test frames play no part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from mekrr.errors import SolveError
from mekrr.kernels.gram import Gram
from mekrr.metrics import mae, rmse
from mekrr.models.problem import Problem
from mekrr.models.ridge import RidgePath
from mekrr.progress import progress_bar

T = TypeVar("T")
R = TypeVar("R")
Alpha = TypeVar("Alpha", bound=float | dict[int, float])
VALIDATION, LEAVE_ONE_OUT, ROBUST = "validation", "leave-one-out", "mean-leave-one-out"
# Of a sweep, by criterion; and the attribute of a choice that keeps it.
COLUMNS = {
    VALIDATION: "rmse",
    LEAVE_ONE_OUT: "leave_one_out_rmse",
    ROBUST: "leave_one_out_mae",
}
KEPT = COLUMNS | {VALIDATION: "validation_rmse"}
COARSE = 4  # every fourth α of the grid is tried at first for each species
NEAR = 2  # then so many neighbours on either side


@dataclass(frozen=True)
class Search:
    """What a model of one problem may choose from, and what decides.

    Attributes
    ----------
    problem : what is learnt.
    alphas : (n,) values of α, ascending.
    criterion : the error in meV/atom that is least: "validation", the RMSE on validation frames;
        "leave-one-out", that on training frames; or "mean-leave-one-out", the mean absolute
        error on these. A few training frames far from all others, such as strained cells, have
        leave-one-out errors many times those of frames to come: squared, they alone would choose.
    by_species : whether each species has its own α, see `Gram.at`.
    """

    problem: Problem
    alphas: np.ndarray
    criterion: str = VALIDATION
    by_species: bool = False


@dataclass(frozen=True)
class Choice(Generic[Alpha]):
    """Parameters of a model, and their errors (meV/atom) as far as these are known.

    ``alpha`` is α, or a dict of the α of each species (atomic number).
    """

    alpha: Alpha
    regularisation: float
    validation_rmse: float = np.nan
    leave_one_out_rmse: float = np.nan
    leave_one_out_mae: float = np.nan

    def error(self, criterion: str) -> float:
        """Return the error that a criterion goes by."""
        return getattr(self, KEPT[criterion])


def alpha_grid(smallest: float, count: int) -> np.ndarray:
    """Return 0 and ``count - 1`` geometric steps from ``smallest`` to 1."""
    return np.concatenate([[0.0], np.geomspace(smallest, 1.0, count - 1)])


def regularisation_grid(smallest: float, largest: float, count: int) -> np.ndarray:
    """Return ``count`` geometric steps."""
    return np.geomspace(smallest, largest, count)


def select(
    gram: Gram, searches: Sequence[Search], regularisations: np.ndarray, threads: int = 1
) -> tuple[list[Choice], list[pd.DataFrame]]:
    """Choose α and λ of each search on one kernel; each reduction of K_α serves them all.

    Parameters
    ----------
    gram : (n_frames, T), all frames with the training frames in their order.
    searches : of problems that differ in their baselines only, not in frames or split.
    regularisations : values of λ.
    threads : values of α worked on at once, each by one thread.

    Returns
    -------
    The choice of each search, and its sweep, as of `sweep`.

    Raises
    ------
    SolveError
        If the kernel matrix is indefinite at all λ.
    """
    problems = {id(search.problem): search.problem for search in searches}
    by_errors = {id(s.problem) for s in searches if s.criterion != VALIDATION}
    alphas = np.unique(np.concatenate([search.alphas for search in searches]))
    tables = sweep(
        gram,
        list(problems.values()),
        alphas,
        regularisations,
        threads,
        leave_one_out=[key in by_errors for key in problems],
    )
    of_problem = dict(zip(problems, tables, strict=True))
    choices: list[Choice] = []
    for search in searches:
        table = of_problem[id(search.problem)]
        single = choose(table[table["alpha"].isin(search.alphas)], search.criterion)
        if search.by_species:
            choices.append(descend(gram, search, single, regularisations, threads))
        else:
            choices.append(single)
    return choices, [of_problem[id(search.problem)] for search in searches]


def sweep(
    gram: Gram,
    problems: Sequence[Problem],
    alphas: np.ndarray,
    regularisations: np.ndarray,
    threads: int = 1,
    *,
    leave_one_out: Sequence[bool] | None = None,
) -> list[pd.DataFrame]:
    """Return the errors of several problems over the α × λ grid, one reduction per α for all.

    Parameters
    ----------
    gram, problems, alphas, regularisations, threads : as for `select`.
    leave_one_out : of which problems the leave-one-out errors are wanted too; by default of none.

    Returns
    -------
    Per problem, a DataFrame with alpha, regularisation and, where there are validation frames,
    rmse and mae on these; on demand leave_one_out_rmse and leave_one_out_mae (meV/atom). NaN
    where the kernel matrix is numerically indefinite at that λ.
    """
    wanted = [False] * len(problems) if leave_one_out is None else leave_one_out
    train, val = (problems[0].members(part) for part in ("train", "val"))
    rows, new = gram.rows(train), gram.rows(val)

    def tables(alpha: float) -> list[pd.DataFrame]:
        first = RidgePath(rows.at(alpha), problems[0].target[train])
        kernel = new.at(alpha)
        parts = []
        for problem, by_errors in zip(problems, wanted, strict=True):
            path = first.with_target(problem.target[train])
            columns = {"alpha": alpha, "regularisation": regularisations}
            if len(val):
                found = path.predict(kernel, regularisations)
                columns |= _summary(problem.errors(found, val))
            if by_errors:
                found = problem.errors(path.leave_one_out(regularisations), train)
                columns |= {f"leave_one_out_{name}": v for name, v in _summary(found).items()}
            parts.append(pd.DataFrame(columns))
        return parts

    with progress_bar(len(alphas), "choosing α and λ", "α") as bar:
        done = _each(tables, alphas, threads, bar)
    return [pd.concat(parts, ignore_index=True) for parts in zip(*done, strict=True)]


def choose(table: pd.DataFrame, criterion: str = VALIDATION) -> Choice[float]:
    """Return the row of a sweep that has the least error by a criterion."""
    column = COLUMNS[criterion]
    if table[column].isna().all():
        raise SolveError("no λ of the grid makes the kernel matrix definite; extend it upwards")
    best = table.loc[table[column].idxmin()]
    errors = {
        KEPT[VALIDATION]: float(best.get("rmse", np.nan)),
        KEPT[criterion]: float(best[column]),
    }
    return Choice(float(best["alpha"]), float(best["regularisation"]), **errors)


def descend(
    gram: Gram,
    search: Search,
    start: Choice[float],
    regularisations: np.ndarray,
    threads: int = 1,
) -> Choice[dict[int, float]]:
    """Choose the α of each species by two rounds of coordinate descent, λ free.

    From the best single α, one species after the other takes the value that lowers the
    error most: in the first round of every fourth value of the grid, in the second of the
    two neighbours on either side. The error is never above that of the start.

    Parameters
    ----------
    start : the best single α, of the search's own; others as for `select`.
    """
    problem, alphas, criterion = search.problem, search.alphas, search.criterion
    train, val = (problem.members(part) for part in ("train", "val"))
    present = [s for s, share in gram.shares.items() if share[train].any()]
    kept = Gram(gram.k0, {species: gram.shares[species] for species in present})
    rows, new = kept.rows(train), kept.rows(val)
    size = mae if criterion == ROBUST else rmse

    def of(alpha: dict[int, float], regularisation: float, error: float) -> Choice:
        return Choice(alpha, regularisation, **{KEPT[criterion]: error})

    best = of(dict.fromkeys(present, start.alpha), start.regularisation, start.error(criterion))

    def attempt(trial: dict[int, float]) -> Choice[dict[int, float]]:
        path = RidgePath(rows.at(trial), problem.target[train])
        if criterion == VALIDATION:
            errors = problem.errors(path.predict(new.at(trial), regularisations), val)
        else:
            errors = problem.errors(path.leave_one_out(regularisations), train)
        of_lambda = np.array([size(e) for e in errors])
        of_lambda[np.isnan(of_lambda)] = np.inf
        least = int(of_lambda.argmin())
        return of(trial, float(regularisations[least]), float(of_lambda[least]))

    with progress_bar(None, "α per species", "kernels") as bar:
        for coarse in (True, False):
            for species in present:
                place = int(np.flatnonzero(alphas == best.alpha[species])[0])
                near = alphas[max(place - NEAR, 0) : place + NEAR + 1]
                trials = [
                    best.alpha | {species: float(alpha)}
                    for alpha in (alphas[::COARSE] if coarse else near)
                    if alpha != alphas[place]
                ]
                found = _each(attempt, trials, threads, bar)
                best = min([best, *found], key=lambda choice: choice.error(criterion))
    return best


def _each(work: Callable[[T], R], items: Iterable[T], threads: int, bar: tqdm) -> list[R]:
    """``work`` of each item, ``threads`` at once, each with one thread of linear algebra."""
    done = []
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        for result in pool.map(work, items):
            done.append(result)
            bar.update()
    return done


def _summary(errors: np.ndarray) -> dict[str, list[float]]:
    """RMSE and MAE of errors (n_λ, n) at each λ."""
    return {"rmse": [rmse(e) for e in errors], "mae": [mae(e) for e in errors]}
