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
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from mekrr.features.directions_store import FrameDirections
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Radial
from mekrr.models.sparse.arithmetic import Arithmetic, arithmetic
from mekrr.models.sparse.distances import exponents, kernel_between, left_of, right_of
from mekrr.models.sparse.metric import Scale


@dataclass(frozen=True)
class Part:
    """Kernels of some atoms with some inducing atoms, in one set of coordinates.

    Attributes
    ----------
    kernel : in units of the coordinates. weight : α, or 1 - α.
    species : of the atoms; None for those of all.
    scale : the coordinates. inducing : (m, d) those of the inducing atoms.
    columns : (m,) their places among all.
    """

    kernel: Radial
    weight: float
    species: int | None
    scale: Scale
    inducing: np.ndarray
    columns: np.ndarray

    @cached_property
    def right(self) -> np.ndarray:
        """(m, d + 2), see `right_of`."""
        return right_of(self.inducing, self.kernel)

    @cached_property
    def pull(self) -> np.ndarray:
        """(m, d + 1), the right side of a product with `_beside`: weighted (g_m - g)·u/σ²."""
        factor = float(self.weight / self.kernel.lengthscale**2)
        ones = np.ones_like(self.inducing[:, :1])
        return factor * np.hstack([self.scale.back(self.inducing), -ones])

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
        if directions is None or not directions.counts.any():  # those may be of no width
            directions = FrameDirections.none(frames)
        energies = np.zeros((len(frames), len(self)))
        slopes = np.zeros((int(directions.counts.sum()), len(self)))
        on = arithmetic()
        for part in self.parts:
            right, pull = on.take(part.right), on.take(part.pull)  # once, not for every block
            atoms = part.rows_of(frames.species)
            ends = np.searchsorted(atoms, frames.pointer)
            shapes = np.stack([directions.counts, np.diff(ends)], axis=1)
            rows, of_rows = _places(directions, frames.pointer, atoms, ends)
            rows_ends = np.concatenate([[0], np.cumsum(shapes.prod(axis=1))])
            g = part.scale.apply(frames.features[atoms], self.dtype)
            left, back = left_of(g), part.scale.back(g)
            for some in _blocks((1 + shapes[:, 0]) * shapes[:, 1] * len(right), on.held):
                own = slice(ends[some.start], ends[some.stop])
                along = slice(rows_ends[some.start], rows_ends[some.stop])
                turned = _beside(directions.derivatives[rows[along]], back[of_rows[along]])
                kernels, products = (on.take(left[own]), right), (on.take(turned), pull)
                with on.settings():
                    sums, found = _sums(on, self.kernel, kernels, products, shapes[some].tolist())
                energies[some, part.columns] += part.weight * sums
                first = directions.begins[some.start]
                here = slice(first, first + len(found))
                if 0.0 < self.alpha < 1.0:  # else no other part has these columns
                    found = found + slopes[here, part.columns]
                slopes[here, part.columns] = found
        return energies, slopes

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
            values, slope = self.kernel.with_slope(left_of(g) @ part.right.T, np)
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
            yield Part(self.kernel, 1.0 - self.alpha, None, self.shared, inducing, everything)
        if self.alpha > 0.0:
            for s, scale in self.own.items():
                columns = np.flatnonzero(self.species == s)
                inducing = scale.apply(self.features[columns], self.dtype)
                yield Part(self.kernel, self.alpha, s, scale, inducing, columns)


def _sums(
    on: Arithmetic,
    kernel: Radial,
    kernels: tuple[Any, Any],
    products: tuple[Any, Any],
    shapes: list[tuple[int, int]],
) -> tuple[np.ndarray, np.ndarray]:
    """Return sums (t, m) over atoms of t frames, float64, and their derivatives (Σ q, m).

    Parameters
    ----------
    kernels : (Σ n, d + 2) and (m, d + 2), the factors of exponents.
    products : (Σ q n, d + 1) and (m, d + 1), those of derivatives but for k'.
    shapes : q and n of each frame.
    """
    xp = on.xp
    ends = list(accumulate((n for _, n in shapes), initial=0))
    of_frames = [slice(*pair) for pair in pairwise(ends)]
    values, slope = kernel.with_slope(kernels[0] @ kernels[1].T, xp)
    sums = [values[atoms].sum(0, dtype=xp.float64) for atoms in of_frames]
    apart = products[0] @ products[1].T
    found, end = [], 0
    for (q, n), atoms in zip(shapes, of_frames, strict=True):
        of_frame = apart[end : (end := end + q * n)].reshape(q, n, apart.shape[1])
        found.append(xp.einsum("qnm,nm->qm", of_frame, slope[atoms]))
    return on.give(xp.stack(sums)), on.give(xp.concatenate(found))


def _places(
    directions: FrameDirections, pointer: np.ndarray, atoms: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of some atoms among derivatives, and which of these atoms each is of.

    Both are (Σ q n,): of each frame its q directions, of each of these n atoms.

    Parameters
    ----------
    pointer : of the frames, among all atoms. atoms : those wanted. ends : of frames, among these.
    """
    frames = np.repeat(np.arange(len(directions)), directions.counts)  # of every direction
    sizes, n = directions.n_atoms[frames], np.diff(ends)[frames]
    of_rows = np.arange(n.sum()) + np.repeat(ends[frames] - (np.cumsum(n) - n), n)
    return np.repeat(np.cumsum(sizes) - sizes - pointer[frames], n) + atoms[of_rows], of_rows


def _beside(u: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Return (n, d + 1): derivatives u (n, d) of features, and u·A g, given ``back``, A g."""
    found = np.empty((len(u), u.shape[1] + 1), dtype=back.dtype)
    found[:, :-1] = u
    np.einsum("nd,nd->n", found[:, :-1], back, out=found[:, -1])
    return found


def _blocks(sizes: np.ndarray, held: int) -> list[slice]:
    """Return frames of so many products each, together about ``held``."""
    begins = np.flatnonzero(np.diff(np.cumsum(sizes) // held, prepend=-1))
    return [slice(*pair) for pair in pairwise([*begins.tolist(), len(sizes)])]
