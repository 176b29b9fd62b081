"""What a sparse model is a sum of: kernels with inducing atoms, and their derivatives.

The energy of a frame is Σ_i f(h_i) over its atoms i, with inducing atoms m,

    f(h_i) = Σ_m a_m [(1 - α) k(ḡ_i, ḡ_m) + α δ_(s_i s_m) k(g_i, g_m)],

g being coordinates of a species, ḡ those that all share, see `mekrr.models.sparse.metric`. With
x = -|g - g_m|²/2σ² and u = dg/dv the derivative of coordinates along a direction v of the frame,

    dk/dv = k'(x) (g_m - g)·u/σ².

Products are float32 (or ``dtype``), a frame's sums over atoms too; all else is float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from mekrr.features.directions_store import FrameDirections
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Radial
from mekrr.models.sparse.distances import exponents, halves, kernel_between
from mekrr.models.sparse.metric import Scale

HELD = 2**19  # products that are held at once, or those of one frame: a core's cache


@dataclass(frozen=True)
class Part:
    """Kernels of some atoms with some inducing atoms, in one set of coordinates.

    Attributes
    ----------
    weight : α, or 1 - α.
    species : of the atoms; None for those of all.
    scale : the coordinates. inducing : (m, d) those of the inducing atoms.
    columns : (m,) their places among all.
    """

    weight: float
    species: int | None
    scale: Scale
    inducing: np.ndarray
    columns: np.ndarray

    def exponents(self, kernel: Radial, g: np.ndarray) -> np.ndarray:
        """Return those of coordinates (n, d) with the inducing atoms (n, m)."""
        return exponents(kernel, g, self.inducing, self._halves)

    @cached_property
    def _halves(self) -> np.ndarray:
        return halves(self.inducing)

    def rows_of(self, species: np.ndarray) -> np.ndarray:
        """Return the places of the atoms among those of species (n,)."""
        if self.species is None:
            return np.arange(len(species))
        return np.flatnonzero(species == self.species)


@dataclass(frozen=True)
class Basis:
    """Kernels with the inducing atoms.

    Attributes
    ----------
    kernel : the atom kernel, its lengthscale in units of the coordinates.
    alpha : α.
    own : coordinates by species. shared : those of all; of use if α < 1.
    species : (M,) of the inducing atoms. features : (M, d) their features, float32.
    dtype : of the products.
    """

    kernel: Radial
    alpha: float
    own: dict[int, Scale]
    shared: Scale
    species: np.ndarray
    features: np.ndarray
    dtype: type = np.float32

    def __len__(self) -> int:
        return len(self.species)

    @cached_property
    def parts(self) -> list[Part]:
        """The sums that a row is made of."""
        return list(self._parts())

    @cached_property
    def exact(self) -> Basis:
        """The same in float64."""
        return replace(self, dtype=np.float64)

    def gram(self) -> np.ndarray:
        """Return kernels (M, M) between inducing atoms, float64."""
        return self.between(self.features, self.species)

    def between(self, features: np.ndarray, species: np.ndarray) -> np.ndarray:
        """Return kernels (n, M) of atoms with the inducing atoms, float64."""
        found = np.zeros((len(species), len(self)))
        for part in self.exact.parts:
            rows = part.rows_of(species)
            g = part.scale.apply(features[rows], np.float64)
            found[np.ix_(rows, part.columns)] += part.weight * kernel_between(
                self.kernel, g, part.inducing
            )
        return found

    def rows(
        self, frames: FrameFeatures, directions: FrameDirections | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums of frames (n_frames, M), and their derivatives (n_directions, M).

        The derivatives of all directions of the first frame come first; there are none without
        ``directions``, which are those of the same frames.
        """
        if directions is None:
            directions = FrameDirections.none(frames)
        energies = np.zeros((len(frames), len(self)))
        slopes = np.zeros((int(directions.counts.sum()), len(self)))
        for part in self.parts:
            atoms = part.rows_of(frames.species)
            ends = np.searchsorted(atoms, frames.pointer)
            g = part.scale.apply(frames.features[atoms], self.dtype)
            values, slope = self.kernel.with_slope(part.exponents(self.kernel, g), np)
            sums = [values[a:b].sum(axis=0, dtype=np.float64) for a, b in pairwise(ends)]
            energies[:, part.columns] += part.weight * np.array(sums)
            if len(slopes):
                slopes[:, part.columns] += self._slopes(part, frames, directions, atoms, g, slope)
        return energies, slopes

    def _slopes(
        self,
        part: Part,
        frames: FrameFeatures,
        directions: FrameDirections,
        atoms: np.ndarray,
        g: np.ndarray,
        slope: np.ndarray,
    ) -> np.ndarray:
        """Return a part's derivatives (n_directions, m).

        Parameters
        ----------
        atoms : (n,) of the part, among all. g : (n, d) their coordinates. slope : (n, m), k'.
        """
        shape = int(directions.counts.sum()), len(part.columns)
        found: np.ndarray = np.zeros(shape, dtype=self.dtype)
        ends = np.searchsorted(atoms, frames.pointer)
        of_frames = [slice(*pair) for pair in pairwise(ends.tolist())]
        for some in _blocks(np.diff(ends) * directions.counts, len(part.columns)):
            along = [directions.of(t)[:, atoms[of_frames[t]] - frames.pointer[t]] for t in some]
            rows = np.concatenate([each.reshape(-1, each.shape[-1]) for each in along])
            u = part.scale.turn(rows, self.dtype)
            products, end = u @ part.inducing.T, 0
            for t, each in zip(some, along, strict=True):
                q, n, width = each.shape
                own = slice(end, end := end + q * n)
                apart, itself = products[own].reshape(q, n, -1), u[own].reshape(q, n, width)
                apart -= np.einsum("qnd,nd->qn", itself, g[of_frames[t]])[:, :, None]
                begin = directions.begins[t]
                np.einsum("qnm,nm->qm", apart, slope[of_frames[t]], out=found[begin : begin + q])
        return part.weight / self.kernel.lengthscale**2 * found

    def at(
        self, features: np.ndarray, species: np.ndarray, coefficients: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return f (n,) and its gradient ∂f/∂h (n, d), float64, of a frame's atoms."""
        atoms = np.zeros(len(species))
        gradient = np.zeros((len(species), features.shape[1]))
        inverse = 1.0 / self.kernel.lengthscale**2
        for part in self.parts:
            rows = part.rows_of(species)
            if not len(rows):
                continue
            weights = (part.weight * coefficients[part.columns]).astype(self.dtype)
            g = part.scale.apply(features[rows], self.dtype)
            values, slope = self.kernel.with_slope(part.exponents(self.kernel, g), np)
            # A sum of large terms that all but cancel, in float64 as `rows` has it.
            atoms[rows] += values.astype(np.float64) @ (part.weight * coefficients[part.columns])
            pull = slope * weights
            by_coordinates = pull @ part.inducing - pull.sum(axis=1)[:, None] * g
            gradient[rows] += inverse * part.scale.back(by_coordinates)
        return atoms, gradient

    def prior(
        self, features: np.ndarray, species: np.ndarray, along: np.ndarray | None
    ) -> tuple[float, np.ndarray]:
        """Return the kernel of a frame with itself, and of its derivatives (q,), float64.

        These are Σ_ij [k' u_i·u_j/σ² - k'' (u_i·(g_i - g_j)) ((g_i - g_j)·u_j)/σ⁴].

        Parameters
        ----------
        features : (n, d). species : (n,). along : (q, n, d), derivatives of features; or None.
        """
        whole, slopes = 0.0, np.zeros(0 if along is None else len(along))
        square = self.kernel.lengthscale**2
        for part in self.exact.parts:
            rows = part.rows_of(species)
            if not len(rows):
                continue
            g = part.scale.apply(features[rows], np.float64)
            within = exponents(self.kernel, g, g)
            values, slope = self.kernel.with_slope(within.copy(), np)
            whole += part.weight * float(values.sum())
            if along is None:
                continue
            u = part.scale.turn(along[:, rows], np.float64)
            slopes += part.weight / square * np.einsum("qid,qid->q", slope @ u, u)
            onto = u @ g.T
            apart = np.einsum("qii->qi", onto)[:, :, None] - onto  # u_i · (g_i - g_j)
            curvature = self.kernel.curvature(within, np) / square**2
            slopes += part.weight * np.einsum("ij,qij,qji->q", curvature, apart, apart)
        return whole, slopes

    def _parts(self) -> Iterator[Part]:
        everything = np.arange(len(self))
        if self.alpha < 1.0:
            inducing = self.shared.apply(self.features, self.dtype)
            yield Part(1.0 - self.alpha, None, self.shared, inducing, everything)
        if self.alpha > 0.0:
            for s, scale in self.own.items():
                columns = np.flatnonzero(self.species == s)
                inducing = scale.apply(self.features[columns], self.dtype)
                yield Part(self.alpha, s, scale, inducing, columns)


def _blocks(sizes: np.ndarray, width: int) -> list[np.ndarray]:
    """Return the frames that are not empty, as many together as make up about `HELD` products."""
    block = np.cumsum(sizes) * width // HELD
    parts = np.split(np.arange(len(sizes)), np.flatnonzero(np.diff(block)) + 1)
    kept = (part[sizes[part] > 0] for part in parts)
    return [part for part in kept if len(part)]
