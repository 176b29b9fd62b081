"""Atom kernels between the coordinates of two sets of atoms."""

from __future__ import annotations

import numpy as np

from mekrr.kernels.atom import Radial


def exponents(kernel: Radial, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return -|g - g'|²/2σ² (n, m), ≤ 0, of coordinates (n, d) and (m, d)."""
    found = left @ right.T
    found -= 0.5 * np.einsum("nd,nd->n", left, left)[:, None]
    found -= 0.5 * np.einsum("md,md->m", right, right)
    found *= 1.0 / kernel.lengthscale**2
    return np.minimum(found, 0.0, out=found)


def kernel_between(kernel: Radial, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return k(g, g') (n, m)."""
    values = exponents(kernel, left, right)
    kernel.apply(values, np)
    return values
