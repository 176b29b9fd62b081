"""What a sparse model leaves open is chosen by the errors of frames that it was not fitted to.

Those are validation frames, or each fold of the training frames in turn. The triangles of folds
are made once; whatever is chosen then costs no second pass over the data, see
`mekrr.models.sparse.factor`. The criterion is

    RMSE of energies / their spread + RMSE of derivatives / their spread,

each in its own unit, the spread being the root mean square of the targets there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mekrr.models.sparse.solve import Rows, path

LENGTHSCALES = (1.0, 2.0, 4.0)  # in units of the coordinates
REGULARISATIONS = np.logspace(-4, 4, 9)  # λ, 1/eV²
SIGMA_FORCE = 0.05  # eV/Å; λ and the weights of energies are relative to it
SIGMAS_ENERGY = (0.0001, 0.0003, 0.001)  # eV/atom
N_FOLDS = 5
# Criteria that rounding alone tells apart, as of one λ σ² of energies without derivatives. Of these
# the fewest atoms and the largest σ are chosen, everywhere the same.
EQUAL = 1e-9


@dataclass(frozen=True)
class Choice:
    """What was chosen, and how it did.

    Attributes
    ----------
    n : inducing atoms, the first of those there are.
    sigma_energy : eV/atom. regularisation : λ.
    energy : RMSE in eV/atom, force : of derivatives, in eV/Å; NaN without any.
    criterion : what is least.
    """

    n: int
    sigma_energy: float
    regularisation: float
    energy: float
    force: float
    criterion: float


@dataclass(frozen=True)
class Held:
    """Rows to fit to, and rows that are held against the fit."""

    fitted: Rows
    against: Rows


def numbers_to_try(inducing: int | Sequence[int]) -> list[int]:
    """Return one or several numbers of inducing atoms, from the least on."""
    return sorted(set(inducing)) if isinstance(inducing, Sequence) else [inducing]


def folds(parts: Sequence[Rows]) -> list[Held]:
    """Hold each part against all others."""
    return [
        Held(Rows.joined([other for other in parts if other is not part]), part) for part in parts
    ]


def choose(
    held: Sequence[Held],
    root: np.ndarray,
    numbers: Sequence[int],
    sigmas: Sequence[float],
    regularisations: Sequence[float],
) -> tuple[Choice, pd.DataFrame]:
    """Choose number of inducing atoms, weight of energies and λ; return all that was tried.

    Parameters
    ----------
    root : see `mekrr.models.sparse.solve.prior_root`.
    numbers, sigmas, regularisations : what there is to choose from.
    """
    tried: dict[tuple[int, float, float], list[tuple[float, float]]] = {}
    for one in held:
        for sigma in sigmas:
            stacked = one.fitted.stacked(sigma, SIGMA_FORCE)
            for n in numbers:
                found = path(stacked, root[:n, :n], np.asarray(regularisations))
                errors = one.against.errors(found).tolist()
                for regularisation, pair in zip(regularisations, errors, strict=True):
                    tried.setdefault((n, sigma, float(regularisation)), []).append(tuple(pair))
    against = [one.against for one in held]
    spreads = _over_all(against, [tuple(a.errors(np.zeros((1, 0)))[0]) for a in against])
    choices = []
    for (n, sigma, regularisation), errors in tried.items():
        energy, force = _over_all(against, errors)
        parts = [e / s for e, s in zip((energy, force), spreads, strict=True) if s > 0.0]
        choices.append(Choice(n, sigma, regularisation, energy, force, float(sum(parts))))
    least = min(choice.criterion for choice in choices)
    equal = [choice for choice in choices if choice.criterion <= (1.0 + EQUAL) * least]
    best = min(equal, key=lambda choice: (choice.n, -choice.sigma_energy, choice.regularisation))
    return best, pd.DataFrame([vars(choice) for choice in choices])


def _over_all(rows: Sequence[Rows], errors: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the root mean squares of all rows from those of each part."""
    found = []
    for kind, of_kind in zip(("energies", "directions"), zip(*errors, strict=True), strict=True):
        counts = np.array([getattr(part, kind).n_rows for part in rows], dtype=np.float64)
        squares = np.nansum(counts * np.square(of_kind))
        found.append(float(np.sqrt(squares / counts.sum())) if counts.sum() else np.nan)
    return found[0], found[1]
