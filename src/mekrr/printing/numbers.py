"""How many digits an error is printed with."""

from __future__ import annotations


def digits(number: float, like: float) -> str:
    """``number`` with as many decimals as ``like`` is given."""
    return f"{number:.{_decimals(like)}f}"


def rounded(value: float) -> float:
    """The number that is printed for ``value``."""
    return round(value, _decimals(value))


def _decimals(value: float) -> int:
    """Three digits; more would be noise."""
    return 0 if value >= 100 else 1 if value >= 10 else 2
