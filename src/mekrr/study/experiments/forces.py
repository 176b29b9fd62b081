"""Errors of forces on test frames, as sums from which those of any group of frames follow.

Tables
------
forces : dataset, strategy, seed, method, backbone, index, frame, species, components (their
    number: three for each atom of the species), absolute and square, the sums of the components'
    absolute (eV/Å) and squared errors (eV²/Å²)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ase import Atoms

from mekrr.data.labels import forces_of
from mekrr.metrics import SUMS, force_errors
from mekrr.models.problem import Problem
from mekrr.study.experiments.fits import Fit
from mekrr.study.experiments.kinds import Kind
from mekrr.study.experiments.potentials import of_fit

if TYPE_CHECKING:
    from mekrr.models.potentials.base import Potential

COLUMNS = ["method", "index", "frame", "species", *SUMS]


def drawn_frames(
    problem: Problem, frames: Sequence[Atoms], n_frames: int | str, seed: int
) -> list[int]:
    """Return test frames that have forces, by position: all or some of them, drawn by a seed.

    Parameters
    ----------
    frames : those of the data set, which the problem's table numbers as ``index``.
    n_frames : how many at most, or "all".
    """
    index = problem.frames["index"].to_numpy()
    test = [int(k) for k in problem.members("test") if forces_of(frames[index[k]]) is not None]
    if n_frames == "all":
        return test
    drawn = np.random.default_rng(seed).permutation(test)[:n_frames]
    return sorted(map(int, drawn))


def force_sums(
    potentials: Iterable[tuple[str, Potential]],
    problem: Problem,
    frames: Sequence[Atoms],
    members: Sequence[int],
) -> pd.DataFrame:
    """Return the errors of potentials' forces on some frames of a problem, species by species.

    Parameters
    ----------
    potentials : with their methods; none is made if there are no frames.
    frames : as for `drawn_frames`, which gives ``members``.

    Returns
    -------
    DataFrame with ``COLUMNS``.
    """
    rows = []
    for method, potential in potentials if members else ():
        for index, number in problem.frames.iloc[members][["index", "frame"]].to_numpy():
            atoms = frames[index]
            errors = np.abs(potential.evaluate(atoms).forces - forces_of(atoms))
            for species in dict.fromkeys(atoms.symbols):
                own = errors[atoms.symbols == species]
                sums = (own.size, own.sum(), np.square(own).sum())
                rows.append((method, index, number, species, *sums))
    return pd.DataFrame(rows, columns=COLUMNS)


def errors_of_fits(
    step, kind: Kind, problem: Problem, frames: Sequence[Atoms]
) -> Callable[[Problem, Fit], pd.DataFrame] | None:
    """Return what finds the errors of forces of the fits that a kind makes, by method.

    It is asked with parts of the problem and the fits to them. None if no forces are to be
    compared: the step asks for no frames, or none has forces.
    """
    members = drawn_frames(problem, frames, step.params.n_frames, int(step.wildcards.seed))

    def errors(part: Problem, fit: Fit) -> pd.DataFrame:
        sums = force_sums(of_fit(step, kind, part, fit), part, frames, members)
        return force_errors(sums, ["method"])

    return errors if members else None


def with_labels(
    table: pd.DataFrame, choices: pd.DataFrame, labels: Mapping[str, str]
) -> pd.DataFrame:
    """Return a table opened by data set, strategy and seed, each method's backbone beside it.

    ``choices`` are those of the fits, which name the backbone.
    """
    backbones = choices.drop_duplicates("method").set_index("method")["backbone"]
    table = table.copy()
    table.insert(1, "backbone", table["method"].map(backbones))
    for position, key in enumerate(("dataset", "strategy", "seed")):
        table.insert(position, key, labels[key])
    return table
