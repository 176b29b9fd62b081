"""Functions of a distance by cubic convolution, so that a network is run at knots only.

A filter W(d) that training changes is evaluated at knots, some hundred of them, and for each
edge interpolated between four: W(d) ≈ Σ_k u(d / s - k) W(k s) with Keys' kernel u, which is
exact for quadratics and once continuously differentiable (Keys, IEEE Trans. Acoust. 29, 1153
(1981)). The weights u depend on positions alone: the interpolation is a sparse matrix.
"""

from __future__ import annotations

import math

import torch

from mekrr.backbones.sparse import State, sparse_indices, sparse_state
from mekrr.data.structure import SAME_PLACE


class Radial:
    """Knots from the least distance of two atoms to ``cutoff`` (Å), and one beyond either end.

    They are ``spacing`` (Å) apart or a little less.

    Attributes
    ----------
    knots : (n_knots,) float32, Å.
    """

    def __init__(self, cutoff: float, spacing: float):
        intervals = math.ceil((cutoff - SAME_PLACE) / spacing)
        self._step = (cutoff - SAME_PLACE) / intervals
        self.knots = SAME_PLACE + self._step * torch.arange(-1.0, intervals + 2)

    def state(self, name: str, distance: torch.Tensor, row: torch.Tensor, n_rows: int) -> State:
        """Return the sparse matrix (n_rows, n_knots) that interpolates functions and sums rows.

        Parameters
        ----------
        distance : (n_edges,) float64, Å.
        row : (n_edges,) the row that each edge adds to.
        """
        scaled = (distance - SAME_PLACE) / self._step
        knot = scaled.long().clamp(max=len(self.knots) - 4)
        t = scaled - knot
        weights = torch.stack(
            [
                (-t + 2 * t**2 - t**3) / 2,
                (2 - 5 * t**2 + 3 * t**3) / 2,
                (t + 4 * t**2 - 3 * t**3) / 2,
                (t**3 - t**2) / 2,
            ],
            dim=1,
        )
        column = knot[:, None] + torch.arange(4)
        shape = n_rows, len(self.knots)
        return sparse_state(name, row.repeat_interleave(4), column.ravel(), weights.ravel(), shape)

    @staticmethod
    def indices(name: str, rows: str) -> dict[str, str]:
        """Return what the sparse matrix numbers; its columns are the same for all frames."""
        return sparse_indices(name, rows, None)
