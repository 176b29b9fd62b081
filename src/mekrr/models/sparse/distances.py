"""Atom kernels between the coordinates of two sets of atoms."""

from __future__ import annotations

import numpy as np

from mekrr.kernels.atom import Radial


def halves(rows: np.ndarray) -> np.ndarray:
    """Return |g|²/2 (n,) of coordinates (n, d)."""
    return 0.5 * np.einsum("nd,nd->n", rows, rows)


def left_of(rows: np.ndarray) -> np.ndarray:
    """Return coordinates (n, d) as the left side (n, d + 2) of a product, see `right_of`."""
    return np.hstack([rows, -halves(rows)[:, None], -np.ones_like(rows[:, :1])])


def right_of(rows: np.ndarray, kernel: Radial) -> np.ndarray:
    """Return coordinates (m, d) as the right side (m, d + 2) of a product.

    With `left_of` others it is their exponents -|g - g'|²/2σ², ≤ 0 but for rounding.
    """
    inverse = float(1.0 / kernel.lengthscale**2)
    return inverse * np.hstack([rows, np.ones_like(rows[:, :1]), halves(rows)[:, None]])


def exponents(
    kernel: Radial, left: np.ndarray, right: np.ndarray, of_right: np.ndarray | None = None
) -> np.ndarray:
    """Return -|g - g'|²/2σ² (n, m), ≤ 0, of coordinates (n, d) and (m, d).

    Parameters
    ----------
    of_right : (m,), `halves` of those on the right, if known.
    """
    found = left @ right.T
    found -= halves(left)[:, None]
    found -= halves(right) if of_right is None else of_right
    found *= 1.0 / kernel.lengthscale**2
    return np.minimum(found, 0.0, out=found)


def kernel_between(
    kernel: Radial, left: np.ndarray, right: np.ndarray, of_right: np.ndarray | None = None
) -> np.ndarray:
    """Return k(g, g') (n, m), of what `exponents` takes."""
    values = exponents(kernel, left, right, of_right)
    kernel.apply(values, np)
    return values
