"""Rows of a least-squares problem, kept as the triangle of their QR decomposition.

That of some rows below that of others, decomposed again, is that of all (TSQR): so rows come in any
number of parts, in any order. With R the triangle of [Φ | y], |Φ a - y|² is |R (a, -1)|² for every
a. Of the first columns of Φ alone it is the leading part of R, at no cost.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.linalg.lapack import dtpqrt

from mekrr.models.sparse.arithmetic import Arithmetic, arithmetic

BLOCK = 64  # columns that LAPACK reduces at once


class Factor:
    """The triangle of rows [Φ | y], y beside Φ.

    Attributes
    ----------
    n_rows : how many rows there are.
    """

    def __init__(self, width: int):
        self.width, self.n_rows = width, 0
        self._triangle = np.zeros((width + 1,) * 2, order="F")
        self._pending: list[np.ndarray] = []

    def add(self, rows: np.ndarray, targets: np.ndarray) -> None:
        """Add rows (n, M) and their targets (n,)."""
        self._pending.append(np.hstack([rows, targets[:, None]]))
        self.n_rows += len(rows)
        if sum(map(len, self._pending)) >= arithmetic().pending:
            self._reduce()

    @property
    def triangle(self) -> np.ndarray:
        """R (M + 1, M + 1), float64."""
        self._reduce()
        return self._triangle

    def squares(self, coefficients: np.ndarray) -> np.ndarray:
        """Return |Φ a - y|² (m,) for ``coefficients`` (m, n) a of the first n columns."""
        n, triangle = coefficients.shape[1], self.triangle
        off = triangle[:, :n] @ coefficients.T - triangle[:, -1:]
        return np.einsum("km,km->m", off, off)

    @classmethod
    def joined(cls, parts: Iterable[Factor]) -> Factor:
        """Return the triangle of the rows of all parts, which have some columns in common."""
        parts = list(parts)
        whole = cls(parts[0].width)
        for part in parts:
            whole._triangle = below(whole._triangle, part.triangle, upper=True)
            whole.n_rows += part.n_rows
        return whole

    def _reduce(self) -> None:
        if self._pending:
            self._triangle = below(self._triangle, np.vstack(self._pending))
            self._pending = []


def below(triangle: np.ndarray, rows: np.ndarray, *, upper: bool = False) -> np.ndarray:
    """Return the triangle (n, n) of the QR decomposition of one and of rows (m, n) below it.

    Parameters
    ----------
    triangle : (n, n), overwritten where its elements are in Fortran's order.
    upper : whether rows are a triangle too, or the first of one, which saves two thirds.
    """
    n, on = len(triangle), arithmetic()
    if not len(rows):
        return triangle
    if on.device is not None:
        return _below_on(on, triangle, rows)
    found, *_, fault = dtpqrt(
        len(rows) if upper else 0,
        min(BLOCK, n),
        triangle,
        np.array(rows, order="F"),
        overwrite_a=True,
        overwrite_b=True,
    )
    assert fault == 0
    return found


def _below_on(on: Arithmetic, triangle: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return what `below` does, by torch, which has no decomposition that spares zeros."""
    with on.settings():
        stacked = on.xp.vstack([on.take(triangle), on.take(rows)])
        return on.give(on.xp.linalg.qr(stacked, mode="r")[1])
