"""The few directions in which atom features differ.

Features of a trajectory may fill a space of lower dimension than their width. Products
of rows projected onto it orthogonally are those of the rows up to

    |u_i·u_j - P u_i·P u_j| ≤ ρ_i ρ_j,   ρ_i = |u_i - P u_i|,

and cost the share of the directions that stay. ρ is computed for every atom, so the bound
is a guarantee, not an estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.linalg.lapack import dpstrf

WORTH = 0.5  # a larger share of directions than this is not worth projecting
ROWS_PER_DIRECTION = 16  # of fewer rows, finding the directions costs more than it saves
SPARE = 16  # rows drawn beyond that share
ROUNDS = 8


def find_basis(
    draw: Callable[[int], np.ndarray],
    blocks: Callable[[], Iterator[np.ndarray]],
    n_rows: int,
    tolerance: float,
) -> np.ndarray | None:
    """Orthonormal directions that hold every row of ``blocks`` up to ``tolerance``.

    Parameters
    ----------
    draw : returns about so many rows, (n, d) float64, drawn at random: the first guess.
    blocks : returns an iterator over all rows.
    n_rows : number of all rows.
    tolerance : largest distance of a row from its projection; not below some 1e-7 of the
        rows' length, which is what rounding leaves of it.

    Returns
    -------
    (d, r) basis, or None if projecting does not pay.
    """
    width = draw(1).shape[1]
    most = int(WORTH * width)
    missing = draw(most + SPARE)
    if _independent(missing, tolerance) > min(most, n_rows // ROWS_PER_DIRECTION):
        return None
    basis = np.empty((width, 0))
    for _ in range(ROUNDS):
        basis = np.hstack([basis, _orthonormal(missing, basis, 0.2 * tolerance)])
        if basis.shape[1] > most:
            return None
        missing = np.concatenate([_beyond(block, basis, tolerance) for block in blocks()])
        if not len(missing):
            return basis
        missing = missing[: most + SPARE]
    return None


def _independent(rows: np.ndarray, tolerance: float) -> int:
    """Rows picked, furthest first, until all are within ``tolerance`` of the picked ones' span."""
    _, _, rank, _ = dpstrf(rows @ rows.T, tol=tolerance**2)
    return int(rank)


def _orthonormal(rows: np.ndarray, basis: np.ndarray, tolerance: float) -> np.ndarray:
    """Directions (d, r) outside ``basis`` in which rows reach further than ``tolerance``."""
    rest = rows - (rows @ basis) @ basis.T
    squares, weights = np.linalg.eigh(rest @ rest.T)  # ascending
    # A row's reach along the discarded directions is at most their root sum of squares.
    tail = np.sqrt(np.cumsum(np.maximum(squares, 0.0)) / max(len(rows), 1))
    kept = (tail > tolerance) & (squares > 0)
    found = rest.T @ (weights[:, kept] / np.sqrt(squares[kept]))
    found -= basis @ (basis.T @ found)  # once more: the first removal leaves rounding
    return np.linalg.qr(found)[0]


def _beyond(rows: np.ndarray, basis: np.ndarray, tolerance: float) -> np.ndarray:
    """Rows further than ``tolerance`` from their projection."""
    inside = rows @ basis
    squared = np.einsum("ij,ij->i", rows, rows) - np.einsum("ij,ij->i", inside, inside)
    return rows[squared > tolerance**2]
