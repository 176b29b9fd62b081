"""How errors are printed: with how many digits, and which of them as the best."""

from __future__ import annotations

import pandas as pd


def digits(number: float, like: float) -> str:
    """``number`` with as many decimals as ``like`` is given."""
    return f"{number:.{_decimals(like)}f}"


def rounded(value: float) -> float:
    """The number that is printed for ``value``."""
    return round(value, _decimals(value))


def best(errors: pd.Series, n_seeds: pd.Series) -> pd.Series:
    """Which errors print as the smallest of those that are means over as many seeds as any.

    The seeds that a mean lacks may be the hard ones: it is not compared.
    """
    compared = errors.map(rounded).where(n_seeds == n_seeds[errors.notna()].max())
    return compared == compared.min()


def _decimals(value: float) -> int:
    """Three digits; more would be noise."""
    return 0 if value >= 100 else 1 if value >= 10 else 2
