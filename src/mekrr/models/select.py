"""Choosing α and λ on validation frames or by leave-one-out; the test frames play no part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from mekrr.errors import SolveError
from mekrr.kernels.gram import SpeciesGram, combine
from mekrr.metrics import mae, rmse
from mekrr.models.ridge import RidgePath
from mekrr.progress import progress_bar

T, R = TypeVar("T"), TypeVar("R")
COARSE = 4  # every fourth α of the grid is tried at first for each species
NEAR = 2  # then so many neighbours on either side


@dataclass(frozen=True)
class Choice:
    """Hyper-parameters with the least error, and their errors (RMSE, meV/atom).

    ``alpha`` is α, or a dict of the α of each species (atomic number).
    """

    alpha: float | dict[int, float]
    regularisation: float
    validation_rmse: float
    leave_one_out_rmse: float = np.nan


def alpha_grid(smallest: float, count: int) -> np.ndarray:
    """0 and ``count - 1`` geometric steps from ``smallest`` to 1."""
    return np.concatenate([[0.0], np.geomspace(smallest, 1.0, count - 1)])


def regularisation_grid(smallest: float, largest: float, count: int) -> np.ndarray:
    """``count`` geometric steps."""
    return np.geomspace(smallest, largest, count)


def sweep(
    k0: np.ndarray,
    k1: np.ndarray,
    target: np.ndarray,
    n_atoms: np.ndarray,
    train: np.ndarray,
    val: np.ndarray,
    alphas: np.ndarray,
    regularisations: np.ndarray,
    threads: int = 1,
) -> pd.DataFrame:
    """Validation errors over the α × λ grid; see `sweeps`."""
    (table,) = sweeps(k0, k1, [target], n_atoms, train, val, alphas, regularisations, threads)
    return table


def sweeps(
    k0: np.ndarray,
    k1: np.ndarray,
    targets: Sequence[np.ndarray],
    n_atoms: np.ndarray,
    train: np.ndarray,
    val: np.ndarray,
    alphas: np.ndarray,
    regularisations: np.ndarray,
    threads: int = 1,
    *,
    leave_one_out: bool = False,
) -> list[pd.DataFrame]:
    """Validation errors of several targets over the α × λ grid, one reduction per α for all.

    Parameters
    ----------
    k0, k1 : (n_frames, n_train) kernels of all frames with the training frames, whose
        columns are in the order of ``train``.
    targets : (n_frames,) each, eV, references subtracted. n_atoms : (n_frames,).
    train, val : indices of frames.
    threads : values of α worked on at once, each by one thread.
    leave_one_out : add the leave-one-out errors of the training frames for the first target.

    Returns
    -------
    Per target, a DataFrame with alpha, regularisation, rmse, mae and, on demand,
    leave_one_out_rmse and leave_one_out_mae (meV/atom), NaN where the kernel matrix is
    numerically indefinite at that λ.
    """
    rows, new = (k0[train], k1[train]), (k0[val], k1[val])

    def tables(alpha: float) -> list[pd.DataFrame]:
        first = RidgePath(combine(*rows, alpha), targets[0][train])
        kernel = combine(*new, alpha)
        parts = []
        for target in targets:
            found = first.with_target(target[train]).predict(kernel, regularisations)
            parts.append(_of_alpha(alpha, regularisations, _errors(found, target, n_atoms, val)))
        if leave_one_out:
            found = first.leave_one_out(regularisations)
            errors = _errors(found, targets[0], n_atoms, train)
            parts[0]["leave_one_out_rmse"] = [rmse(e) for e in errors]
            parts[0]["leave_one_out_mae"] = [mae(e) for e in errors]
        return parts

    with progress_bar(len(alphas), "choosing α and λ", "α") as bar:
        done = _each(tables, alphas, threads, bar)
    return [pd.concat(parts, ignore_index=True) for parts in zip(*done, strict=True)]


def leave_one_out_sweep(
    k0: np.ndarray,
    k1: np.ndarray,
    target: np.ndarray,
    n_atoms: np.ndarray,
    alphas: np.ndarray,
    regularisations: np.ndarray,
    threads: int,
) -> pd.DataFrame:
    """Leave-one-out errors over the α × λ grid: as `sweep`, without validation frames.

    Parameters
    ----------
    k0, k1 : (T, T). target : (T,) eV. n_atoms : (T,).
    threads : values of α worked on at once, each by one thread.
    """

    def table(alpha: float) -> pd.DataFrame:
        found = RidgePath(combine(k0, k1, alpha), target).leave_one_out(regularisations)
        return _of_alpha(alpha, regularisations, 1000.0 * (found - target) / n_atoms)

    with progress_bar(len(alphas), "leave-one-out", "α") as bar:
        return pd.concat(_each(table, alphas, threads, bar), ignore_index=True)


def mixture(gram: SpeciesGram, alpha: float | Mapping[int, float]) -> np.ndarray:
    """K_α = (1 - α) K_0 + α K_1; or, with an α_s for the share S_s of each species in K_1,

        K = (1 - ᾱ) K_0 + Σ_s α_s S_s,    ᾱ the mean of the α_s over the species.

    As K_1 = Σ_s S_s, equal α_s = α give K_α. With 0 ≤ α_s ≤ 1 no weight is negative, so that
    K is positive semi-definite as K_0 and every S_s are.

    Parameters
    ----------
    alpha : α, or α_s by atomic number: these name the species that ᾱ is the mean over.
    """
    if not isinstance(alpha, Mapping):
        return gram.at(alpha)
    total = (1.0 - np.mean(list(alpha.values()))) * gram.k0
    for species, weight in alpha.items():
        if weight:
            total += weight * gram.shares[species]
    return total


def descend(
    gram: SpeciesGram,
    target: np.ndarray,
    n_atoms: np.ndarray,
    train: np.ndarray,
    val: np.ndarray,
    start: Choice,
    alphas: np.ndarray,
    regularisations: np.ndarray,
    threads: int = 1,
) -> Choice:
    """α of each species by two rounds of coordinate descent on the validation RMSE, λ free.

    From the best single α, one species after the other takes the value that lowers the
    error most: in the first round of every fourth value of the grid, in the second of the
    two neighbours on either side. The error is never above that of the start.

    Parameters
    ----------
    gram : (n_frames, n_train). Others as in `sweeps`.
    start : the best single α, of the grid ``alphas``.
    """
    present = [s for s, share in gram.shares.items() if share[train].any()]
    rows, new = (
        SpeciesGram(gram.k0[part], {s: gram.shares[s][part] for s in present})
        for part in (train, val)
    )
    best = replace(start, alpha=dict.fromkeys(present, start.alpha))

    def attempt(trial: dict[int, float]) -> Choice:
        path = RidgePath(mixture(rows, trial), target[train])
        found = path.predict(mixture(new, trial), regularisations)
        errors = np.array([rmse(e) for e in _errors(found, target, n_atoms, val)])
        errors[np.isnan(errors)] = np.inf
        least = int(errors.argmin())
        return Choice(trial, float(regularisations[least]), float(errors[least]))

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
                best = min([best, *found], key=lambda choice: choice.validation_rmse)
    return best


def _each(work: Callable[[T], R], items: Iterable[T], threads: int, bar: tqdm) -> list[R]:
    """``work`` of each item, ``threads`` at once, each with one thread of linear algebra."""
    done = []
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        for result in pool.map(work, items):
            done.append(result)
            bar.update()
    return done


def _errors(
    predicted: np.ndarray, target: np.ndarray, n_atoms: np.ndarray, frames: np.ndarray
) -> np.ndarray:
    """(n_λ, n) errors in meV/atom of predictions for some frames."""
    return 1000.0 * (predicted - target[frames]) / n_atoms[frames]


def _of_alpha(alpha: float, regularisations: np.ndarray, errors: np.ndarray) -> pd.DataFrame:
    """Rows of a sweep at one α from errors (n_λ, n) in meV/atom."""
    return pd.DataFrame(
        {
            "alpha": alpha,
            "regularisation": regularisations,
            "rmse": [rmse(e) for e in errors],
            "mae": [mae(e) for e in errors],
        }
    )


def choose(table: pd.DataFrame, criterion: str = "rmse") -> Choice:
    """The row of a sweep that has the least of the column ``criterion``."""
    if table[criterion].isna().all():
        raise SolveError("no λ of the grid makes the kernel matrix definite; extend it upwards")
    best = table.loc[table[criterion].idxmin()]
    return Choice(
        float(best["alpha"]),
        float(best["regularisation"]),
        float(best["rmse"]),
        float(best.get("leave_one_out_rmse", np.nan)),
    )
