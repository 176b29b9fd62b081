"""The lengthscale of an atom kernel: a median distance, without the matrix of all distances."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from mekrr.errors import DataError
from mekrr.features.store import FrameFeatures

SAMPLE_ATOMS = 4000  # of so few, all squared distances are held at once (64 MB)
BATCH = 768  # atoms whose distances to so many others are held at once
BINS = 2**16
# Shares of the sample's distances between which that of all is sought, until it is there.
BRACKETS = ((0.48, 0.52), (0.4, 0.6), (0.0, 1.0))


def find_lengthscale(
    frames: FrameFeatures, train: Sequence[int] | np.ndarray, rule: str | float, *, threads: int = 1
) -> float:
    """Find σ by a rule: "median" or "sampled-median" of training atoms, or a number.

    Raises a DataError if the median is zero.
    """
    if not isinstance(rule, str):
        return float(rule)
    sampled = rule == "sampled-median"
    atoms = frames.atoms_of(train)
    sigma = median_lengthscale(frames.features, atoms, sampled=sampled, threads=threads)
    if sigma == 0.0:
        raise DataError(
            "most atoms of the training frames have the same features; give a number for the "
            "lengthscale, or other frames"
        )
    return sigma


def median_lengthscale(
    features: np.ndarray,
    atoms: np.ndarray | None = None,
    *,
    sampled: bool = False,
    seed: int = 0,
    threads: int = 1,
) -> float:
    """Find the median pairwise distance between atoms, the paper's choice of σ.

    The published definition: lower median over the full distance matrix, its zero
    diagonal included. Up to 4,000 atoms computed in float64. For more, the squared distances
    are float32 and counted in bins around the median of a sample, which gives σ to about a
    millionth; two passes over batches of atoms at most, in constant memory.

    Parameters
    ----------
    features : (n_atoms, d), which may be a memory map.
    atoms : (n,) those that count, all by default.
    sampled : take the median over 4,000 atoms, drawn at random with ``seed``, instead. σ
        then varies by about half a percent with the draw (standard deviation), at O(1) cost.
    threads : worker threads.
    """
    atoms = np.arange(len(features)) if atoms is None else np.asarray(atoms)
    n = len(atoms)
    if n <= SAMPLE_ATOMS:
        return float(np.sqrt(_lower_median(_squared_distances(features[atoms]), n)))
    drawn = atoms[np.sort(np.random.default_rng(seed).choice(n, SAMPLE_ATOMS, replace=False))]
    sample = _squared_distances(features[drawn])
    if sampled:
        return float(np.sqrt(_lower_median(sample, SAMPLE_ATOMS)))
    origin = features[drawn].mean(axis=0, dtype=np.float64).astype(np.float32)
    rank = _rank(n)
    for lower, upper in BRACKETS:
        low, high = np.quantile(sample, [lower, upper])
        if (lower, upper) == BRACKETS[-1]:
            low, high = (
                0.0,
                4.0 * _largest_square(features, atoms, origin) + np.finfo(np.float32).tiny,
            )
        below, counts = _count(features, atoms, origin, low, high, threads)
        reached = below + np.cumsum(counts)
        if below <= rank < reached[-1]:
            break
    found = np.searchsorted(reached, rank, side="right")
    return float(np.sqrt(low + (found + 0.5) * (high - low) / BINS))


def _rank(n: int) -> int:
    """Return the rank of the lower median of the full n × n matrix among the pairs i < j.

    Sorted, the matrix holds n zeros, then every distance twice; negative: it is a zero.
    """
    return ((n * n - 1) // 2 - n) // 2


def _lower_median(upper: np.ndarray, n: int) -> float:
    rank = _rank(n)
    return 0.0 if rank < 0 else max(float(np.partition(upper, rank)[rank]), 0.0)


def _squared_distances(features: np.ndarray) -> np.ndarray:
    """Return (n (n - 1)/2,) float64, of all pairs i < j."""
    h = np.asarray(features, dtype=np.float64)
    h = h - h.mean(axis=0)
    norms = np.einsum("ij,ij->i", h, h)
    parts = [np.empty(0)]
    for start in range(0, len(h), BATCH):
        stop = min(start + BATCH, len(h))
        squared = norms[start:stop, None] + norms[start:] - 2.0 * (h[start:stop] @ h[start:].T)
        square, rest = np.split(squared, [stop - start], axis=1)
        parts += [square[np.triu_indices(stop - start, k=1)], rest.ravel()]
    return np.concatenate(parts)


def _largest_square(features: np.ndarray, atoms: np.ndarray, origin: np.ndarray) -> float:
    batches = (features[atoms[k : k + BATCH]] - origin for k in range(0, len(atoms), BATCH))
    return max(float(np.einsum("ij,ij->i", h, h).max()) for h in batches)


def _count(
    features: np.ndarray,
    atoms: np.ndarray,
    origin: np.ndarray,
    low: float,
    high: float,
    threads: int,
) -> tuple[int, np.ndarray]:
    """Count pairs i < j with squared distance below ``low``, and in BINS bins to ``high``."""
    starts = range(0, len(atoms), BATCH)

    def prepared(start: int, scale: float, first: int) -> np.ndarray:
        """Return features times ``scale``, squared norm, 1, in an order that sides exchange."""
        h = np.asarray(features[atoms[start : start + BATCH]] - origin, dtype=np.float32)
        norms = np.einsum("ij,ij->i", h, h, dtype=np.float64)
        extra = np.stack([norms, np.ones(len(h))], axis=1)[:, [first, 1 - first]]
        return np.hstack([scale * h, extra.astype(np.float32)])

    def count(start: int) -> tuple[int, np.ndarray]:
        below, counts = 0, np.zeros(BINS, dtype=np.int64)
        rows = prepared(start, -2.0, 0)
        for other in starts[start // BATCH :]:
            squared = rows @ prepared(other, 1.0, 1).T
            if other == start:
                squared[np.tril_indices(len(rows))] = np.inf
            smaller, small = squared < low, squared < high
            below += int(np.count_nonzero(smaller))
            inside = squared[small ^ smaller]
            bins = ((inside - low) * (BINS / (high - low))).astype(np.int64)
            counts += np.bincount(np.minimum(bins, BINS - 1), minlength=BINS)
        return below, counts

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(count, starts))
    return sum(below for below, _ in parts), np.sum([counts for _, counts in parts], axis=0)
