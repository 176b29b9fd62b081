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
    batches: Callable[[], Iterator[np.ndarray]],
    n_rows: int,
    tolerance: float,
) -> np.ndarray | None:
    """Find orthonormal directions that hold every row of ``batches`` up to ``tolerance``.

    Parameters
    ----------
    draw : returns about so many rows, (n, d) float64, drawn at random: the first guess.
    batches : returns an iterator over all rows.
    n_rows : number of all rows.
    tolerance : largest distance of a row from its projection; not below some 1e-7 of the
        rows' length, which is what rounding leaves of it.

    Returns
    -------
    (d, r) basis, or None if projecting does not pay.
    """
    width = draw(1).shape[1]
    most = int(WORTH * width)
    worth = min(most, n_rows // ROWS_PER_DIRECTION)
    basis, missing = np.empty((width, 0)), draw(most + SPARE)
    for _ in range(ROUNDS):
        # What a few rows show of a direction, others may exceed: hence half the tolerance.
        picked = _picked(_rest(missing, basis), 0.5 * tolerance)
        if basis.shape[1] + len(picked) > worth:
            return None
        picked = _rest(picked, basis)  # once more: the first removal leaves rounding
        basis = np.hstack([basis, np.linalg.qr(picked.T)[0]])
        missing = np.concatenate([_beyond(batch, basis, tolerance) for batch in batches()])
        if not len(missing):
            return basis
        missing = missing[: most + SPARE].astype(np.float64)
    return None


def _picked(rows: np.ndarray, tolerance: float) -> np.ndarray:
    """Pick rows, furthest first, until all are within ``tolerance`` of their span."""
    _, pivots, rank, _ = dpstrf(rows @ rows.T, tol=tolerance**2)
    return rows[pivots[:rank] - 1]


def _rest(rows: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return what of the rows is outside the basis."""
    basis = basis.astype(rows.dtype, copy=False)
    return rows - (rows @ basis) @ basis.T


def _beyond(rows: np.ndarray, basis: np.ndarray, tolerance: float) -> np.ndarray:
    """Return rows further than ``tolerance`` from their projection."""
    rest = _rest(rows, basis)
    return rows[np.einsum("ij,ij->i", rest, rest) > tolerance**2]
