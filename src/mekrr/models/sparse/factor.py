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
    """The triangle of rows [Φ | y], y beside Φ; of several targets, [Φ | Y].

    Attributes
    ----------
    width : M, columns of Φ. n_targets : t, columns of Y.
    n_rows : how many rows there are.
    """

    def __init__(self, width: int, n_targets: int = 1):
        self.width, self.n_targets, self.n_rows = width, n_targets, 0
        self._triangle = np.zeros((self.size,) * 2, order="F")
        self._pending: list[np.ndarray] = []

    @classmethod
    def recalled(cls, triangle: np.ndarray, width: int, n_rows: int) -> Factor:
        """Return what a triangle (M + t, M + t) is of."""
        found = cls(width, len(triangle) - width)
        found._triangle, found.n_rows = np.asfortranarray(triangle), n_rows
        return found

    def add(self, rows: np.ndarray, targets: np.ndarray) -> None:
        """Add rows (n, M) and their targets (n,), or (n, t)."""
        self._pending.append(np.hstack([rows, targets.reshape(len(rows), self.n_targets)]))
        self.n_rows += len(rows)
        if sum(map(len, self._pending)) >= arithmetic().pending:
            self._reduce()

    @property
    def size(self) -> int:
        """M + t."""
        return self.width + self.n_targets

    @property
    def triangle(self) -> np.ndarray:
        """R (M + t, M + t), float64."""
        self._reduce()
        return self._triangle

    def of(self, target: int) -> Factor:
        """Return the triangle of the same rows with one of the targets."""
        if self.n_targets == 1:
            return self
        n, column = self.width, self.triangle[:, self.width + target]
        one = np.zeros((n + 1, n + 1), order="F")
        one[:n, :n], one[:n, n] = self.triangle[:n, :n], column[:n]
        one[n, n] = np.linalg.norm(column[n:])
        return Factor.recalled(one, n, self.n_rows)

    def squares(self, coefficients: np.ndarray) -> np.ndarray:
        """Return |Φ a - y|² (m,) for ``coefficients`` (m, n) a of the first n columns."""
        n, triangle = coefficients.shape[1], self.triangle
        off = triangle[:, :n] @ coefficients.T - triangle[:, -1:]
        return np.einsum("km,km->m", off, off)

    @classmethod
    def joined(cls, parts: Iterable[Factor]) -> Factor:
        """Return the triangle of the rows of all parts, which have some columns in common."""
        parts = list(parts)
        whole = cls(parts[0].width, parts[0].n_targets)
        for part in parts:
            if whole.n_rows:
                whole._triangle = below(whole._triangle, part.triangle, upper=True)
            else:
                whole._triangle = part.triangle.copy(order="F")
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
