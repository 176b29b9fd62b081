"""Coordinates in which atom features are compared: their origins and their directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mekrr.features.store import FrameFeatures
from mekrr.kernels.rank import find_basis

BLOCK_ATOMS = 8192  # atoms read at once where a pass over all features is needed
LEAST_WIDTH = 64  # narrower features are not worth a search for fewer directions
PROJECTION_ERROR = 1e-4  # lengthscales that projecting may move an atom: 2e-8 in the exponent


@dataclass(frozen=True)
class Coordinates:
    """Where features are measured from, and in which directions.

    Attributes
    ----------
    species : (n_species,) atomic numbers, ascending.
    means : (n_species, d) float64, origin of each species' features.
    lengthscale : σ, the unit of length.
    basis : (d, r) orthonormal directions that matter, None for all.
    """

    species: np.ndarray
    means: np.ndarray
    lengthscale: float
    basis: np.ndarray | None

    @classmethod
    def of(cls, sets: Sequence[FrameFeatures], lengthscale: float, dtype: type) -> Coordinates:
        """Coordinates for kernels of ``dtype`` between any frames of ``sets``.

        Float64 kernels, which are there for exactness, keep all directions.
        """
        species = np.unique(np.concatenate([frames.species for frames in sets]))
        whole = cls(species, _species_means(sets, species), lengthscale, None)
        if whole.means.shape[1] < LEAST_WIDTH or dtype == np.float64:
            return whole
        rng = np.random.default_rng(0)

        def draw(count):
            total = sum(len(frames.features) for frames in sets)
            rows = []
            for frames in sets:
                n_atoms = len(frames.features)
                share = min(n_atoms, -(-count * n_atoms // total))
                chosen = np.sort(rng.choice(n_atoms, share, replace=False))
                rows.append(whole.transform(frames, chosen))
            return np.concatenate(rows)

        def blocks():
            for frames, atoms in _blocks(sets):
                yield whole.transform(frames, atoms)

        basis = find_basis(draw, blocks, whole.between_origins()[:, 0], PROJECTION_ERROR)
        return whole if basis is None else cls(species, whole.means, lengthscale, basis)

    def transform(self, frames: FrameFeatures, atoms: slice | np.ndarray) -> np.ndarray:
        """(n, r) float64: some atoms, in lengthscales from their species' origin."""
        kind = np.searchsorted(self.species, frames.species[atoms])
        u = (frames.features[atoms].astype(np.float64) - self.means[kind]) / self.lengthscale
        return u if self.basis is None else u @ self.basis

    def between_origins(self) -> np.ndarray:
        """(n_species, n_species, r): from each species' origin to each other's."""
        delta = (self.means[:, None, :] - self.means[None, :, :]) / self.lengthscale
        return delta if self.basis is None else delta @ self.basis


def _blocks(sets: Sequence[FrameFeatures]) -> Iterator[tuple[FrameFeatures, slice]]:
    for frames in sets:
        for start in range(0, len(frames.features), BLOCK_ATOMS):
            yield frames, slice(start, start + BLOCK_ATOMS)


def _species_means(sets: Sequence[FrameFeatures], species: np.ndarray) -> np.ndarray:
    """Mean feature (n_species, d) of each species."""
    totals = np.zeros((len(species), sets[0].features.shape[1]))
    counts = np.zeros(len(species))
    for frames, atoms in _blocks(sets):
        features, of_species = frames.features[atoms], frames.species[atoms]
        for k, s in enumerate(species):
            totals[k] += features[of_species == s].sum(axis=0, dtype=np.float64)
            counts[k] += np.count_nonzero(of_species == s)
    return totals / counts[:, None]
