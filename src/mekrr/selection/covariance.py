"""Covariances of the energies of frames, per atom, and what is left of them once some are known."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from mekrr.selection.pool import Pool, array_on_disk
from mekrr.selection.space import Space


class Covariance:
    """Covariances of the frames of a pool in a space, (eV/atom)²; see `mekrr.selection.space`.

    Of what one asks for a frame at a time nothing is kept: N frames need no N × N.

    Attributes
    ----------
    sigma : expected error of an energy, eV/atom.
    kernels : (n_frames,) mean kernel of the atoms of each frame with one another.
    variances : (n_frames,) of each frame.
    """

    def __init__(self, pool: Pool, space: Space):
        self._pool, self._space = pool, space
        self.sigma = space.sigma
        # φ in coordinates in which what inducing atoms tell, and what is known, are plain products.
        self._told = array_on_disk((len(pool), space.n_inducing), np.float64)
        self._known = array_on_disk((len(pool), space.n_inducing), np.float64)
        known = np.zeros(len(pool))
        self.kernels = pool.self_kernel() / pool.counts**2
        if space.triangle is not None and space.root is not None:
            for frames, sums in pool.sums(space.n_inducing):
                of_atom = (sums / pool.counts[frames, None]).T
                told = solve_triangular(space.root, of_atom, trans="T", check_finite=False).T
                now = solve_triangular(space.triangle, of_atom, trans="T", check_finite=False).T
                self._told[frames], self._known[frames] = np.sqrt(space.variance) * told, now
                known[frames] = np.einsum("nm,nm->n", now, now)
                known[frames] -= space.variance * np.einsum("nm,nm->n", told, told)
        left = space.variance * self.kernels + known
        self.variances = np.maximum(left, 0.0)  # rounding may leave less than none

    def __len__(self) -> int:
        return len(self._pool)

    def centre_distances(self) -> np.ndarray:
        """Return the squared distances (n_frames,) of frames' mean coordinates from their mean."""
        return self._pool.centre_distances()

    def kernel(self, frame: int) -> np.ndarray:
        """Return the mean kernel (n_frames,) of the atoms of each frame with those of one."""
        return self._pool.kernel(frame) / (self._pool.counts * self._pool.counts[frame])

    def with_frame(self, frame: int, kernel: np.ndarray) -> np.ndarray:
        """Return the covariances (n_frames,) with one frame, given its ``kernel``."""
        found = self._space.variance * kernel
        if self._space.n_inducing:
            found -= self._told @ self._told[frame]
            found += self._known @ self._known[frame]
        return found


class Conditioned:
    """What is left of covariances, one frame after the other becoming known.

    A pivoted Cholesky decomposition, in which a frame's own energy keeps its expected error.

    Attributes
    ----------
    left : (n_frames,) variances that are left, (eV/atom)².
    """

    def __init__(self, covariance: Covariance):
        self._covariance = covariance
        self.left = covariance.variances.copy()
        self._factor = np.zeros((0, len(covariance)))
        self._n = 0

    def take(self, frame: int, kernel: np.ndarray | None = None) -> float:
        """Let the energy of a frame be known; return by how much the sum of ``left`` falls.

        Parameters
        ----------
        kernel : (n_frames,) `Covariance.kernel` of the frame, if it is known.
        """
        if kernel is None:
            kernel = self._covariance.kernel(frame)
        n = self._n
        if n == len(self._factor):  # twice as many rows, so that most are never copied
            more = np.empty((max(n, 32), len(self.left)))
            self._factor = np.concatenate([self._factor, more])
        column = self._covariance.with_frame(frame, kernel)
        column -= self._factor[:n, frame] @ self._factor[:n]
        row = column / np.sqrt(self.left[frame] + self._covariance.sigma**2)
        before = self.left.sum()
        self.left = np.maximum(self.left - row**2, 0.0)
        self._factor[n], self._n = row, n + 1
        return float(before - self.left.sum())
