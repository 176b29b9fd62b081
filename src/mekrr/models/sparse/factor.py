"""Rows of a least-squares problem, kept as the triangle of their QR decomposition.

That of some rows below that of others, decomposed again, is that of all (TSQR): so rows come in any
number of parts, in any order. With R the triangle of [Φ | y], |Φ a - y|² is |R (a, -1)|² for every
a. Of the first columns of Φ alone it is the leading part of R, at no cost.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.linalg.blas import dgemm, dtrsm
from scipy.linalg.lapack import dtpqrt

from mekrr.models.sparse.arithmetic import Arithmetic, arithmetic

PANEL = 128  # columns whose reflections meet the others by one product
STRIP = 16  # of a panel, reflected one by one


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
    triangle : (n, n), overwritten.
    upper : whether rows are a triangle too, or the first of one, which saves two thirds.
    """
    on = arithmetic()
    if on.device is not None:
        return _below_on(on, triangle, rows)
    for begin in range(0, len(rows), on.pending):
        first = begin if upper else 0
        some = np.array(rows[begin : begin + on.pending, first:], order="F")
        _reflect(triangle[first:, first:], some)
    return triangle


def _below_on(on: Arithmetic, triangle: np.ndarray, rows: np.ndarray) -> np.ndarray:
    stacked = on.xp.vstack([on.take(triangle), on.take(rows)])
    return on.give(on.xp.linalg.qr(stacked, mode="r")[1])


def _reflect(triangle: np.ndarray, rows: np.ndarray) -> None:
    """Reflect rows (m, n), in Fortran's order and overwritten, into a triangle (n, n)."""
    n = len(triangle)
    for begin in range(0, n, PANEL):
        end = min(begin + PANEL, n)
        scales = np.empty(end - begin)
        for first in range(begin, end, STRIP):
            own = slice(first, min(first + STRIP, end))
            width = own.stop - first
            triangle[own, own], _, t, fault = dtpqrt(
                0, width, triangle[own, own], rows[:, own], overwrite_b=True
            )
            assert fault == 0
            scales[first - begin :][:width] = t.diagonal()
            _apply(triangle, rows, own, slice(own.stop, end), t.diagonal())
        _apply(triangle, rows, slice(begin, end), slice(end, n), scales)


def _apply(
    triangle: np.ndarray, rows: np.ndarray, own: slice, others: slice, scales: np.ndarray
) -> None:
    """Apply the reflections of some columns to others.

    Reflection j is 1 - τ_j v_j v_jᵀ with v_j = (e_j, b_j), one below the other. All k of them are
    1 - V T Vᵀ, the inverse of T being the part of VᵀV above the diagonal, and 1/τ on it.

    Parameters
    ----------
    rows : (m, n), with b_j in column j. scales : (k,) τ, 0 of a reflection that is none.
    """
    if others.start == others.stop:
        return
    below, rest = rows[:, own], rows[:, others]
    inverse = dgemm(1.0, below, below, trans_a=True)
    with np.errstate(divide="ignore"):
        inverse[np.diag_indices_from(inverse)] = 1.0 / scales
    onto = dgemm(1.0, below, rest, beta=1.0, c=triangle[own, others], trans_a=True)
    onto = dtrsm(1.0, inverse, onto, trans_a=True, overwrite_b=True)
    triangle[own, others] -= onto
    dgemm(-1.0, below, onto, beta=1.0, c=rest, overwrite_c=True)
