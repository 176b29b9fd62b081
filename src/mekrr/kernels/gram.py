"""Mean-embedding kernels between frames, resolved by species.

For frames x, x' with n, n' atoms, n_s, n'_s of them of species s, and an atom kernel k:

    K_0(x, x') = 1/(n n') Σ_ij k(h_i, h'_j)
    K_1(x, x') = Σ_s 1/(n_s n'_s) Σ_{i∈s, j∈s} k(h_i, h'_j)      (s absent: no term)
    K_α = (1 - α) K_0 + α K_1

Where energies add up over atoms, it is the energy per atom that a kernel is for, and every atom
counts alike (`Gram.per_atom`): K_0 is the same, and

    K_1(x, x') = 1/(n n') Σ_s Σ_{i∈s, j∈s} k(h_i, h'_j) .

Both come from one pass over atom pairs, by tiles of a few frames each
(`mekrr.kernels.engine.tiles`): one matrix product, an exponential in place, sums over the atoms of
each frame and species. Products are float32 (or ``dtype``), sums over frames float64. Features are
prepared for the product panel by panel, so that the memory does not grow with their number.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import AtomKernel, Radial
from mekrr.kernels.engine import plan
from mekrr.kernels.engine.coordinates import Coordinates
from mekrr.kernels.engine.tiles import Device, Host, Operand, operand, tile_kernels
from mekrr.progress import progress_bar

MEMORY = 2**26  # bytes for two panels of prepared features: larger ones gain little


@dataclass(frozen=True)
class Gram:
    """Kernels between frames before α is chosen, in general of all with the training frames.

    Attributes
    ----------
    k0 : (n, T) float64, K_0.
    shares : dict from species (atomic number) to (n, T) float64, its term of K_1; may be empty
        for a kernel that has K_0 only.
    self_kernel : kernels (n,) of each frame with itself; None where nothing needs them.
    lengthscale : σ of the atom kernel; NaN for one without.
    """

    k0: np.ndarray
    shares: dict[int, np.ndarray]
    self_kernel: Gram | None = None
    lengthscale: float = np.nan

    @cached_property
    def k1(self) -> np.ndarray:
        """K_1, the sum of all species' shares."""
        return sum(self.shares.values(), np.zeros(self.k0.shape))

    def at(self, alpha: float | Mapping[int, float]) -> np.ndarray:
        """Return K_α = (1 - α) K_0 + α K_1; or, with an α_s for the share S_s of each species,

            K = (1 - ᾱ) K_0 + Σ_s α_s S_s,    ᾱ the mean of the α_s over the species.

        As K_1 = Σ_s S_s, equal α_s = α give K_α. With 0 ≤ α_s ≤ 1 no weight is negative, so that
        K is positive semi-definite as K_0 and every S_s are.

        Parameters
        ----------
        alpha : α, or α_s by atomic number: these name the species that ᾱ is the mean over. One
            that no frame has adds nothing.
        """
        if not isinstance(alpha, Mapping):
            return (1.0 - alpha) * self.k0 + alpha * self.k1
        total = (1.0 - np.mean(list(alpha.values()))) * self.k0
        for species, weight in alpha.items():
            if weight and species in self.shares:
                total += weight * self.shares[species]
        return total

    def per_atom(self, frames: FrameFeatures, training: FrameFeatures) -> Gram:
        """Return the kernels of energies per atom: each share by the atoms that it is of.

        Parameters
        ----------
        frames, training : those of the rows and of the columns.
        """
        ours, theirs = frames.composition(), training.composition()
        shares = {
            s: share * ours[s][:, None] * theirs[s] if s in ours and s in theirs else share
            for s, share in self.shares.items()  # that of a species which one side lacks is 0
        }
        own = self.self_kernel
        if own is not None:
            squares = {s: share * ours[s] ** 2 for s, share in own.shares.items()}
            own = replace(own, shares=squares)
        return replace(self, shares=shares, self_kernel=own)

    def rows(self, which: np.ndarray) -> Gram:
        """Return the kernels of some of the frames."""
        own = None if self.self_kernel is None else self.self_kernel.rows(which)
        return self._each(lambda values: values[which], own)

    def columns(self, which: np.ndarray) -> Gram:
        """Return the kernels with some of the training frames only."""
        return self._each(lambda values: values[:, which], self.self_kernel)

    def _each(self, change: Callable[[np.ndarray], np.ndarray], own: Gram | None) -> Gram:
        shares = {species: change(share) for species, share in self.shares.items()}
        return Gram(change(self.k0), shares, own, self.lengthscale)


def species_gram(
    rows: FrameFeatures,
    columns: FrameFeatures | None,
    kernel: AtomKernel,
    *,
    coordinates: Coordinates | None = None,
    threads: int = 1,
    dtype: type = np.float32,
    memory: int = MEMORY,
    device: object = None,
    title: str = "kernel",
) -> Gram:
    """K_0 and every species' share of K_1 between two sets of frames.

    Parameters
    ----------
    rows, columns : frames; ``columns=None`` stands for ``rows`` and costs half.
    kernel : the atom kernel.
    coordinates : in which atoms are compared, for parts of one Gram matrix to share; found
        from the frames by default. Without effect on a linear kernel.
    threads : worker threads, each running single-threaded linear algebra.
    dtype : precision of the products, float32 or float64.
    memory : bytes that the prepared features may take. Like ``threads`` without effect on
        the result: the tiles stay the same.
    device : torch device that computes the tiles; None for numpy on the CPU.
    title : text of the progress bar.
    """
    if isinstance(kernel, Radial):
        options = coordinates, threads, dtype, memory, device, title
        return _pairwise_gram(rows, columns, kernel, *options)
    return _linear_gram(rows, rows if columns is None else columns)


def train_gram(
    frames: FrameFeatures,
    train: np.ndarray,
    kernel: AtomKernel,
    *,
    dtype: type = np.float32,
    **options: Any,
) -> Gram:
    """Kernel of all frames (rows) with the training frames (columns, in their order).

    The symmetric part, train with train, is computed once. ``options`` are those of
    `species_gram`.
    """
    rest = np.setdiff1d(np.arange(len(frames)), train)
    if isinstance(kernel, Radial):
        options["coordinates"] = Coordinates.of([frames], kernel.lengthscale, dtype)
    options["dtype"] = dtype
    parts = [(train, species_gram(frames.select(train), None, kernel, **options))]
    if len(rest):
        gram = species_gram(frames.select(rest), frames.select(train), kernel, **options)
        parts.append((rest, gram))
    shape = (len(frames), len(train))
    whole = Gram(np.zeros(shape), {int(s): np.zeros(shape) for s in np.unique(frames.species)})
    for rows, part in parts:
        whole.k0[rows] = part.k0
        for species, share in part.shares.items():
            whole.shares[species][rows] = share
    return whole


def self_gram(frames: FrameFeatures, kernel: AtomKernel) -> Gram:
    """Kernels of each frame with itself, (n_frames,), in float64, from its own atom pairs."""
    species = np.unique(frames.species)
    k0, shares = np.zeros(len(frames)), np.zeros((len(species), len(frames)))
    for index, (begin, end) in enumerate(pairwise(frames.pointer)):
        h = frames.features[begin:end].astype(np.float64)
        if isinstance(kernel, Radial):
            h = (h - h.mean(axis=0)) / kernel.lengthscale
        pairs = h @ h.T
        if isinstance(kernel, Radial):
            squares = 0.5 * np.diag(pairs)
            pairs -= squares[:, None] + squares
            kernel.apply(pairs, np)
        one_hot = frames.species[begin:end] == species[:, None]
        sums = np.einsum("si,ij,sj->s", one_hot, pairs, one_hot, optimize=True)
        k0[index] = pairs.mean()
        shares[:, index] = sums / np.maximum(one_hot.sum(axis=1), 1) ** 2
    return Gram(k0, dict(zip(species.tolist(), shares, strict=True)))


def _linear_gram(rows: FrameFeatures, columns: FrameFeatures) -> Gram:
    """Sums of h·h' over pairs are products of sums: no pass over pairs is needed."""
    present = np.intersect1d(rows.species, columns.species)
    left, left_by_species = mean_features(rows, present)
    right, right_by_species = mean_features(columns, present)
    return Gram(
        left @ right.T,
        {int(s): left_by_species[k] @ right_by_species[k].T for k, s in enumerate(present)},
    )


def mean_features(frames: FrameFeatures, species: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each frame's mean feature, over all atoms and over each species (0 if absent)."""
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


def _pairwise_gram(
    rows: FrameFeatures,
    columns: FrameFeatures | None,
    kernel: Radial,
    coordinates: Coordinates | None,
    threads: int,
    dtype: type,
    memory: int,
    device: object,
    title: str,
) -> Gram:
    symmetric, other = columns is None, rows if columns is None else columns
    if coordinates is None:
        sets = [rows] if symmetric else [rows, other]
        coordinates = Coordinates.of(sets, kernel.lengthscale, dtype)
    species = coordinates.species
    row_bytes = (coordinates.width + 2 * len(species)) * np.dtype(dtype).itemsize
    panel_atoms = memory // (2 * row_bytes)  # one panel of rows, one of columns
    left_panels, right_panels = (
        plan.panels(plan.bands(frames, on_device=device is not None), frames, panel_atoms)
        for frames in (rows, other)
    )
    tiles = [
        (a, b, plan.tiles(panel, other_panel, symmetric))
        for a, panel in enumerate(left_panels)
        for b, other_panel in enumerate(right_panels)
    ]
    members = [tile for *_, part in tiles for tile in part]
    largest = max(plan.size(rows, a) * plan.size(other, b) for a, b in members)
    k0 = np.zeros((len(rows), len(other)))
    shares = np.zeros((len(species), len(rows), len(other)))
    local = threading.local()

    def work(left: Operand, right: Operand, tile: tuple[slice, slice]) -> None:
        if not hasattr(local, "arithmetic"):
            local.arithmetic = Host(largest, dtype) if device is None else Device(device)
        a, b = tile
        total, by_species = tile_kernels(local.arithmetic, left, a, right, b, kernel)
        if symmetric and a.start == b.start:
            # Every entry from the product with the earlier frame on the left.
            n = a.stop - a.start
            for square in (total[:, :n], *by_species[:, :, :n]):
                square[:] = np.triu(square) + np.triu(square, 1).T
        k0[a, b] = total
        shares[:, a, b] = by_species
        if symmetric:
            k0[b, a] = total.T
            shares[:, b, a] = by_species.transpose(0, 2, 1)

    with (
        threadpool_limits(1, "blas"),
        ThreadPoolExecutor(threads) as pool,
        progress_bar(len(members), title, "tiles") as bar,
    ):
        make = partial(operand, coordinates=coordinates, dtype=dtype, device=device, pool=pool)
        left: Operand | None = None
        right: Operand | None = None
        made: int | None = None
        for a, b, part in tiles:
            right = None  # given back before the next is made
            if a != made:
                left = None
                left, made = make(rows, left_panels[a], right=False), a
            if not part:
                continue
            assert left is not None
            mirrored = symmetric and a == b
            right = left.mirrored() if mirrored else make(other, right_panels[b], right=True)
            for _ in pool.map(partial(work, left, right), part):
                bar.update()
    return Gram(k0, {int(s): shares[k] for k, s in enumerate(species)})
