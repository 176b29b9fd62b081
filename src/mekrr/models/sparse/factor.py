"""Rows of a least-squares problem, kept as the triangle of their QR decomposition.

That of some rows stacked on that of others, decomposed again, is that of all (TSQR): so rows come
in any number of parts, in any order. With R the triangle of [Φ | y], |Φ a - y|² is |R (a, -1)|² for
every a. Of the first columns of Φ alone it is the leading part of R, at no cost.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.linalg import qr


class Factor:
    """The triangle of rows [Φ | y], y beside Φ.

    Attributes
    ----------
    n_rows : how many rows there are.
    """

    def __init__(self, width: int):
        self.width, self.n_rows = width, 0
        self._pending: list[np.ndarray] = []

    def add(self, rows: np.ndarray, targets: np.ndarray) -> None:
        """Add rows (n, M) and their targets (n,)."""
        self._stack(np.hstack([rows, targets[:, None]]))
        self.n_rows += len(rows)

    @property
    def triangle(self) -> np.ndarray:
        """R (k, M + 1), k ≤ M + 1, float64."""
        self._reduce()
        return self._pending[0] if self._pending else np.zeros((0, self.width + 1))

    def square(self, coefficients: np.ndarray) -> float:
        """Return |Φ a - y|² for ``coefficients`` a of the first columns."""
        n, triangle = len(coefficients), self.triangle
        off = triangle[:, :n] @ coefficients - triangle[:, -1]
        return float(off @ off)

    @classmethod
    def joined(cls, parts: Iterable[Factor]) -> Factor:
        """Return the triangle of the rows of all parts, which have some columns in common."""
        parts = list(parts)
        whole = cls(parts[0].width)
        for part in parts:
            whole._stack(part.triangle)
            whole.n_rows += part.n_rows
        return whole

    def _stack(self, rows: np.ndarray) -> None:
        if len(rows):
            self._pending.append(rows)
        # Few large decompositions cost less than many small ones.
        if sum(map(len, self._pending)) > 3 * (self.width + 1):
            self._reduce()

    def _reduce(self) -> None:
        if len(self._pending) > 1 or any(len(p) > self.width + 1 for p in self._pending):
            self._pending = [triangle_of(np.vstack(self._pending))]


def triangle_of(rows: np.ndarray) -> np.ndarray:
    """Return R (k, n), k ≤ n, of the QR decomposition of rows (m, n), which it overwrites."""
    (r,) = qr(rows, mode="r", overwrite_a=True, check_finite=False)
    return np.ascontiguousarray(r[: min(rows.shape)])
