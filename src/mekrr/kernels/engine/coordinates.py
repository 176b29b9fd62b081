"""Coordinates in which atom features are compared: their origins and their directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mekrr.features.store import FrameFeatures
from mekrr.kernels.engine.rank import find_basis

BATCH_ATOMS = 1024  # atoms read at once where a pass over all features is needed
ORIGIN_ATOMS = 1024  # atoms of a species whose mean is its origin: any origin will do
LEAST_WIDTH = 65  # narrower features are not worth a search for fewer directions
PROJECTION_ERROR = 5e-4  # lengthscales: moves an exponent by its square, 2.5e-7, at most


@dataclass(frozen=True)
class Coordinates:
    """Where features are measured from, and in which directions.

    Attributes
    ----------
    species : (n_species,) atomic numbers, ascending.
    origins : (n_species, d) float32, near the mean of each species' features. As float32
        numbers they are subtracted from float32 features with the rounding of the
        difference only.
    lengthscale : σ, the unit of length.
    basis : (d, r) orthonormal directions that matter, None for all.
    """

    species: np.ndarray
    origins: np.ndarray
    lengthscale: float
    basis: np.ndarray | None

    @classmethod
    def of(cls, sets: Sequence[FrameFeatures], lengthscale: float, dtype: type) -> Coordinates:
        """Find coordinates for kernels of ``dtype`` between any frames of ``sets``.

        Float64 kernels, which are there for exactness, keep all directions.
        """
        species = np.unique(np.concatenate([frames.species for frames in sets]))
        origins = np.array([_origin(sets, s) for s in species], dtype=np.float32)
        whole = cls(species, origins, lengthscale, None)
        if origins.shape[1] < LEAST_WIDTH or dtype == np.float64:
            return whole
        rng = np.random.default_rng(0)
        total = sum(len(frames.features) for frames in sets)

        def draw(count: int) -> np.ndarray:
            rows = []
            for frames in sets:
                n_atoms = len(frames.features)
                share = min(n_atoms, -(-count * n_atoms // total))
                chosen = np.sort(rng.choice(n_atoms, share, replace=False))
                rows.append(whole.shifted(frames, chosen, np.float64))
            return np.concatenate(rows)

        def batches() -> Iterator[np.ndarray]:
            for frames, atoms in _batches(sets):
                yield whole.shifted(frames, atoms)

        basis = find_basis(draw, batches, total, PROJECTION_ERROR)
        return cls(species, origins, lengthscale, basis)

    @property
    def width(self) -> int:
        """Directions in which atoms are multiplied."""
        return (self.origins if self.basis is None else self.basis).shape[1]

    def shifted(
        self, frames: FrameFeatures, atoms: slice | np.ndarray, dtype: type = np.float32
    ) -> np.ndarray:
        """Return some atoms (n, d), in lengthscales from their species' origin."""
        kind = np.searchsorted(self.species, frames.species[atoms])
        h = frames.features[atoms]
        u = np.subtract(h, self.origins[kind], dtype=np.result_type(h, np.float32, dtype))
        u *= 1.0 / self.lengthscale
        return u.astype(dtype, copy=False)

    def prepared(
        self, frames: FrameFeatures, atoms: slice | np.ndarray, dtype: type
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what is multiplied, w (n, r) of ``dtype``, and subtracted, q (n, n_species).

        With h = o_s + σ u and w the rounded projection of u, an atom of species s has

            q[t] = |u|²/2 + u·δ + |δ|²/4,  δ = (o_s - o_t)/σ  (float64),

        so that w_i·w_j - q_i[t] - q_j[s] is -|h_i - h_j|²/2σ² of two atoms of species s, t.
        """
        w = u = self.shifted(frames, atoms, dtype)
        precise = u.astype(np.float64)
        if self.basis is None:
            squares = _squares(precise)
        else:
            basis: np.ndarray = self.basis.astype(dtype)
            w = u @ basis
            squares = _squares(w.astype(np.float64))
            squares += _squares(u - w @ basis.T)  # what the projection leaves out
        kind = np.searchsorted(self.species, frames.species[atoms])
        origins = self.origins.astype(np.float64)
        origins = (origins - origins.mean(axis=0)) / self.lengthscale
        along = precise @ origins.T
        between = origins[:, None, :] - origins[None, :, :]
        q = 0.5 * squares[:, None] + along[np.arange(len(u)), kind][:, None] - along
        return w, q + 0.25 * np.einsum("std,std->st", between, between)[kind]


def _squares(rows: np.ndarray) -> np.ndarray:
    return np.einsum("id,id->i", rows, rows)


def _batches(sets: Sequence[FrameFeatures]) -> Iterator[tuple[FrameFeatures, slice]]:
    for frames in sets:
        for start in range(0, len(frames.features), BATCH_ATOMS):
            yield frames, slice(start, start + BATCH_ATOMS)


def _origin(sets: Sequence[FrameFeatures], species: int) -> np.ndarray:
    """Return the mean feature (d,) of a species, over atoms evenly spread if there are many."""
    atoms = [np.flatnonzero(frames.species == species) for frames in sets]
    step = -(-sum(map(len, atoms)) // ORIGIN_ATOMS)
    rows = [f.features[a[::step]] for f, a in zip(sets, atoms, strict=True)]
    return np.concatenate(rows).mean(axis=0, dtype=np.float64)
