"""How errors are printed: with how many digits, and which of them as the best."""

from __future__ import annotations

import pandas as pd


def digits(number: float, like: float) -> str:
    """``number`` with as many decimals as ``like`` is given."""
    return f"{number:.{_decimals(like)}f}"


def best(means: pd.DataFrame, error: str) -> set:
    """Labels of the rows whose ``error`` prints as the smallest over as many seeds as any.

    The seeds that a mean lacks (``n_seeds``) may be the hard ones: it is not compared. Nor is
    an error that prints as 0: energies are constant there, or test frames repeat others.
    """
    means = means[means[error].notna()]
    compared = means.loc[means["n_seeds"] == means["n_seeds"].max(), error].map(_rounded)
    compared = compared[compared > 0]
    return set(compared.index[compared == compared.min()])


def _rounded(value: float) -> float:
    """The number that is printed for ``value``."""
    return round(value, _decimals(value))


def _decimals(value: float) -> int:
    """Three digits; more would be noise."""
    return 0 if value >= 100 else 1 if value >= 10 else 2
