"""Mean-embedding kernels between frames, resolved by species.

For frames x, x' with n, n' atoms, n_s, n'_s of them of species s, and an atom kernel k:

    K_0(x, x') = 1/(n n') Σ_ij k(h_i, h'_j)
    K_1(x, x') = Σ_s 1/(n_s n'_s) Σ_{i∈s, j∈s} k(h_i, h'_j)      (s absent: no term)
    K_α = (1 - α) K_0 + α K_1

Both come from one pass over atom pairs. The pass goes by tiles of a few frames each:
one matrix product, an exponential in place, sums over the atoms of each frame and
species. Nothing larger than a tile is ever held.

Precision. With h = u + μ_s, μ_s the mean feature of species s, the exponent is

    -|h_i - h_j|²/2σ² = (u_i·u_j - p_i[s_j]/2 - p_j[s_i]/2) / σ²,
    p_i[s] = |u_i|² + 2 u_i·(μ_{s_i} - μ_s) + |μ_{s_i} - μ_s|²/2,

so that atoms of one species, whose kernel values are the large ones, are compared by
small numbers. p is computed in float64 and enters the product as extra columns. Products
are float32 (or ``dtype``), sums over frames float64.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits

from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Gaussian, Linear, Matern
from mekrr.kernels.coordinates import Coordinates
from mekrr.progress import progress_bar

TILE_ATOMS = 768  # a float32 tile of this side and its operands stay in the cache


@dataclass(frozen=True)
class SpeciesGram:
    """Kernels between frames, before α is chosen; the shape is (n_rows, n_columns) in general.

    Attributes
    ----------
    k0 : float64, K_0.
    shares : dict from species to float64 of the same shape, its term of K_1; may be empty
        for a kernel that has K_0 only.
    """

    k0: np.ndarray
    shares: dict[int, np.ndarray]

    @property
    def k1(self) -> np.ndarray:
        """K_1, the sum of all species' shares."""
        return sum(self.shares.values(), np.zeros(self.k0.shape))

    def at(self, alpha: float) -> np.ndarray:
        """K_α = (1 - α) K_0 + α K_1."""
        return combine(self.k0, self.k1, alpha)


def combine(k0: np.ndarray, k1: np.ndarray, alpha: float) -> np.ndarray:
    """K_α = (1 - α) K_0 + α K_1."""
    return (1.0 - alpha) * k0 + alpha * k1


def species_gram(
    rows: FrameFeatures,
    columns: FrameFeatures | None,
    kernel: Gaussian | Matern | Linear,
    *,
    coordinates: Coordinates | None = None,
    threads: int = 1,
    dtype: type = np.float32,
    tile_atoms: int = TILE_ATOMS,
    title: str = "kernel",
) -> SpeciesGram:
    """K_0 and every species' share of K_1 between two sets of frames.

    Parameters
    ----------
    rows, columns : frames; ``columns=None`` stands for ``rows`` and costs half.
    kernel : the atom kernel.
    coordinates : in which atoms are compared, for parts of one Gram matrix to share; found
        from the frames by default. Without effect on a linear kernel.
    threads : worker threads, each running single-threaded linear algebra.
    dtype : precision of the products, float32 or float64.
    tile_atoms : atoms along the side of a tile.
    title : text of the progress bar.
    """
    if isinstance(kernel, Linear):
        return _linear_gram(rows, rows if columns is None else columns)
    return _pairwise_gram(rows, columns, kernel, coordinates, threads, dtype, tile_atoms, title)


def train_gram(
    frames: FrameFeatures,
    train: np.ndarray,
    kernel: Gaussian | Matern | Linear,
    *,
    dtype: type = np.float32,
    **options,
) -> SpeciesGram:
    """Kernel of all frames (rows) with the training frames (columns, in their order).

    The symmetric part, train with train, is computed once. ``options`` are those of
    `species_gram`.
    """
    rest = np.setdiff1d(np.arange(len(frames)), train)
    if not isinstance(kernel, Linear):
        options["coordinates"] = Coordinates.of([frames], kernel.lengthscale, dtype)
    options["dtype"] = dtype
    parts = [(train, species_gram(frames.select(train), None, kernel, **options))]
    if len(rest):
        gram = species_gram(frames.select(rest), frames.select(train), kernel, **options)
        parts.append((rest, gram))
    shape = (len(frames), len(train))
    whole = SpeciesGram(
        np.zeros(shape), {int(s): np.zeros(shape) for s in np.unique(frames.species)}
    )
    for rows, part in parts:
        whole.k0[rows] = part.k0
        for species, share in part.shares.items():
            whole.shares[species][rows] = share
    return whole


def own_gram(frames: FrameFeatures, kernel: Gaussian | Matern | Linear) -> SpeciesGram:
    """Kernels of each frame with itself, (n_frames,), in float64, from its own atom pairs."""
    species = np.unique(frames.species)
    k0, shares = np.zeros(len(frames)), np.zeros((len(species), len(frames)))
    for index, (begin, end) in enumerate(pairwise(frames.pointer)):
        h = frames.features[begin:end].astype(np.float64)
        if not isinstance(kernel, Linear):
            h = (h - h.mean(axis=0)) / kernel.lengthscale
        pairs = h @ h.T
        if not isinstance(kernel, Linear):
            squares = 0.5 * np.diag(pairs)
            pairs -= squares[:, None] + squares
            kernel.apply(pairs)
        one_hot = frames.species[begin:end] == species[:, None]
        sums = np.einsum("si,ij,sj->s", one_hot, pairs, one_hot, optimize=True)
        k0[index] = pairs.mean()
        shares[:, index] = sums / np.maximum(one_hot.sum(axis=1), 1) ** 2
    return SpeciesGram(k0, dict(zip(species.tolist(), shares, strict=True)))


def _linear_gram(rows: FrameFeatures, columns: FrameFeatures) -> SpeciesGram:
    """Sums of h·h' over pairs are products of sums: no pass over pairs is needed."""
    present = np.intersect1d(rows.species, columns.species)
    left, left_by_species = _means(rows, present)
    right, right_by_species = _means(columns, present)
    return SpeciesGram(
        left @ right.T,
        {int(s): left_by_species[k] @ right_by_species[k].T for k, s in enumerate(present)},
    )


def _means(frames: FrameFeatures, species: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean feature of each frame, over all atoms and over each species (0 if absent)."""
    owner = np.repeat(np.arange(len(frames)), frames.n_atoms)
    h = frames.features.astype(np.float64)
    overall = np.zeros((len(frames), h.shape[1]))
    np.add.at(overall, owner, h)
    by_species = np.zeros((len(species), *overall.shape))
    for k, s in enumerate(species):
        chosen = frames.species == s
        np.add.at(by_species[k], owner[chosen], h[chosen])
        counts = np.bincount(owner[chosen], minlength=len(frames))
        by_species[k] /= np.maximum(counts, 1)[:, None]
    return overall / frames.n_atoms[:, None], by_species


@dataclass(frozen=True)
class _Tile:
    """A few consecutive frames, their atoms sorted by species and frame.

    ``left`` and ``right`` are the two operands of the exponent's product. A segment is
    the run of atoms of one species in one frame.
    """

    frames: slice
    left: np.ndarray
    right: np.ndarray
    starts: np.ndarray
    segment_species: np.ndarray
    segment_frame: np.ndarray
    counts: np.ndarray  # (n_species, n_frames), atoms of each species in each frame


def _pairwise_gram(
    rows: FrameFeatures,
    columns: FrameFeatures | None,
    kernel: Gaussian | Matern,
    coordinates: Coordinates | None,
    threads: int,
    dtype: type,
    tile_atoms: int,
    title: str,
) -> SpeciesGram:
    symmetric = columns is None
    other = rows if symmetric else columns
    if coordinates is None:
        coordinates = Coordinates.of(
            [rows] if symmetric else [rows, other], kernel.lengthscale, dtype
        )
    species = coordinates.species
    k0 = np.zeros((len(rows), len(other)))
    shares = np.zeros((len(species), len(rows), len(other)))
    workspace = threading.local()

    def work(pair: tuple[_Tile, _Tile]) -> None:
        a, b = pair
        if not hasattr(workspace, "values"):
            # Pages of a fresh array are a fault each, and threads wait for each other there.
            workspace.values = np.empty(largest, dtype)
        total, by_species = _tile_gram(a, b, kernel, workspace.values)
        if a is b:  # equal up to rounding: make it equal
            total = 0.5 * (total + total.T)
            by_species = 0.5 * (by_species + by_species.transpose(0, 2, 1))
        k0[a.frames, b.frames] = total
        shares[:, a.frames, b.frames] = by_species
        if symmetric and a is not b:
            k0[b.frames, a.frames] = total.T
            shares[:, b.frames, a.frames] = by_species.transpose(0, 2, 1)

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:

        def tiles_of(frames: FrameFeatures) -> list[_Tile]:
            parts = _parts(frames, tile_atoms)
            return list(pool.map(lambda part: _tile(frames, part, coordinates, dtype), parts))

        row_tiles = tiles_of(rows)
        column_tiles = row_tiles if symmetric else tiles_of(other)
        largest = max(len(a.left) for a in row_tiles) * max(len(b.left) for b in column_tiles)
        pairs = [
            (a, b)
            for k, a in enumerate(row_tiles)
            for b in (column_tiles[k:] if symmetric else column_tiles)
        ]
        with progress_bar(len(pairs), title, "tiles") as bar:
            for _ in pool.map(work, pairs):
                bar.update()
    return SpeciesGram(k0, {int(s): shares[k] for k, s in enumerate(species)})


def _parts(frames: FrameFeatures, tile_atoms: int) -> list[slice]:
    """Consecutive frames of about ``tile_atoms`` atoms each, at least one frame."""
    parts, first = [], 0
    while first < len(frames):
        last = int(np.searchsorted(frames.pointer, frames.pointer[first] + tile_atoms, "right")) - 1
        last = max(last, first + 1)
        parts.append(slice(first, last))
        first = last
    return parts


def _tile(frames: FrameFeatures, which: slice, coordinates: Coordinates, dtype: type) -> _Tile:
    atoms = slice(frames.pointer[which.start], frames.pointer[which.stop])
    n_frames, species = which.stop - which.start, coordinates.species
    kind = np.searchsorted(species, frames.species[atoms])
    owner = np.repeat(np.arange(n_frames), frames.n_atoms[which])
    order = np.lexsort((owner, kind))
    kind, owner = kind[order], owner[order]

    u = coordinates.transform(frames, atoms)[order]
    delta = coordinates.between_origins()
    p = np.einsum("id,id->i", u, u)[:, None] + 0.5 * np.einsum("std,std->st", delta, delta)[kind]
    for k in np.unique(kind):
        of_kind = kind == k
        p[of_kind] += 2.0 * u[of_kind] @ delta[k].T
    one_hot = np.eye(len(species))[kind]
    width = u.shape[1]
    left, right = np.empty((2, len(u), width + 2 * len(species)), dtype)
    left[:, :width] = right[:, :width] = u
    left[:, width:] = np.hstack([-0.5 * p, one_hot])
    right[:, width:] = np.hstack([one_hot, -0.5 * p])
    segment = kind * n_frames + owner
    starts = np.flatnonzero(np.diff(segment, prepend=-1))
    counts = np.zeros((len(species), n_frames), dtype=int)
    np.add.at(counts, (kind, owner), 1)
    return _Tile(
        frames=which,
        left=left,
        right=right,
        starts=starts,
        segment_species=kind[starts],
        segment_frame=owner[starts],
        counts=counts,
    )


def _tile_gram(
    a: _Tile, b: _Tile, kernel: Gaussian | Matern, workspace: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """K_0 and all shares of K_1 between the frames of two tiles."""
    values = workspace[: len(a.left) * len(b.left)].reshape(len(a.left), len(b.left))
    np.matmul(a.left, b.right.T, out=values)
    kernel.apply(values)
    sums = np.add.reduceat(values, b.starts, axis=1)
    sums = np.add.reduceat(sums, a.starts, axis=0, dtype=np.float64)

    n_species = len(a.counts)
    dense = np.zeros((n_species, a.counts.shape[1], n_species, b.counts.shape[1]))
    dense[
        a.segment_species[:, None],
        a.segment_frame[:, None],
        b.segment_species[None, :],
        b.segment_frame[None, :],
    ] = sums
    total = dense.sum(axis=(0, 2)) / np.outer(a.counts.sum(axis=0), b.counts.sum(axis=0))
    same = np.einsum("sasb->sab", dense)
    pairs = a.counts[:, :, None] * b.counts[:, None, :]
    return total, same / np.maximum(pairs, 1)
