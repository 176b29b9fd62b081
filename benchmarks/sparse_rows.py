"""Rates of a sparse model's rows and of their QR decomposition, against BLAS's own in the same run.

Counted are the operations of the products with inducing atoms, and those of Householder's
reflections; against products of the same inner dimension in float32, and large ones in float64.
Frames are synthetic, a third of their atoms of one species, the rest of another, as are the
inducing atoms. And how much more two jobs of one thread do than one of two.
`python -m benchmarks.sparse_rows --help`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from itertools import product
from multiprocessing import Queue
from multiprocessing.synchronize import Barrier
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.gram import seconds
from mekrr import environment
from mekrr.features.directions_store import FrameDirections
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import KERNELS, RADIAL
from mekrr.models.sparse.basis import Basis
from mekrr.models.sparse.factor import Factor
from mekrr.models.sparse.metric import scales_of
from mekrr.models.sparse.model import batches

WIDTH = 128  # of features
SPECIES = 4, 74
SHARE = 1 / 3  # of the first species
N_ROWS = 2048  # to be decomposed
REPEATS = 5
TRIALS = 30  # of jobs: the least is taken


class Shard:
    """Frames, and inducing atoms for them.

    Parameters
    ----------
    n_atoms, n_directions : of each frame.
    """

    def __init__(
        self, n_frames: int, n_atoms: int, n_directions: int, n_inducing: int, kernel: str
    ):
        self._n_directions = n_directions
        rng = np.random.default_rng(0)
        species = np.tile(_species(n_atoms), n_frames)
        features = rng.standard_normal((len(species), WIDTH), dtype=np.float32)
        self.frames = FrameFeatures(features, species, n_atoms * np.arange(n_frames + 1))
        rows = (len(species) * n_directions, WIDTH)
        self.directions = FrameDirections(
            rng.standard_normal(rows, dtype=np.float32),
            np.full(n_frames, n_directions),
            np.full(n_frames, n_atoms),
            None,
        )
        own, shared = scales_of(features, species, (WIDTH,), "whitened")
        inducing = rng.standard_normal((n_inducing, WIDTH), dtype=np.float32)
        order = rng.permutation(_species(n_inducing))
        self.basis = Basis(KERNELS[kernel](1.0), 1.0, own, shared, order, inducing)
        self._batches = [
            (self.frames.select(some), self.directions.select(some))
            for some in batches(np.arange(n_frames))
        ]

    def run(self) -> None:
        """Compute rows, of a few frames at a time as a fit does."""
        for some in self._batches:
            self.basis.rows(*some)

    @property
    def needed(self) -> int:
        """Floating-point operations of products with inducing atoms."""
        atoms, inducing = (
            np.bincount(s, minlength=SPECIES[-1] + 1)
            for s in (self.frames.species, self.basis.species)
        )
        return 2 * WIDTH * (1 + self._n_directions) * int(atoms @ inducing)


def _species(n: int) -> np.ndarray:
    first = round(SHARE * n)
    return np.repeat(SPECIES, [first, n - first])


class Triangle:
    """Rows to be decomposed, (N_ROWS, n_inducing), in parts as of 32 frames with 16 directions."""

    def __init__(self, n_inducing: int):
        self._width = n_inducing
        self._rows = np.random.default_rng(0).standard_normal((N_ROWS // 512, 512, n_inducing))

    def run(self) -> None:
        """Decompose them."""
        factor = Factor(self._width)
        for rows in self._rows:
            factor.add(rows, rows[:, 0])
        _ = factor.triangle

    @property
    def needed(self) -> int:
        """Floating-point operations of reflections."""
        return 2 * N_ROWS * (self._width + 1) ** 2


def own_seconds(action: Callable[[], object]) -> float:
    """Return the processor's time of a call; others may be at work on this machine."""
    start = time.process_time()
    action()
    return time.process_time() - start


def rate(dtype: type, inner: int) -> float:
    """Return 1e9 floating-point operations per second in products (1024, inner) by its like."""
    a, b = np.random.default_rng(0).random((2, 1024, inner)).astype(dtype)
    found = np.empty((1024, 1024), dtype)
    n_products = 2**14 // inner

    def multiply() -> None:
        for _ in range(n_products):
            np.matmul(a, b.T, out=found)

    return 2 * 1024 * 1024 * inner * n_products / own_seconds(multiply) / 1e9


def share(work: Shard | Triangle, dtype: type, inner: int) -> dict[str, float]:
    """Return seconds, the rate in 1e9 operations per second, and its share of BLAS's beside it.

    These are medians of CPU times, of one thread.
    """
    with threadpool_limits(1):
        np.ones(30 * 2**17)  # 30 MB freed as a fit frees: from here glibc keeps what it is given
        work.run()
        taken = []
        for _ in range(REPEATS):
            blas = rate(dtype, inner)
            needed = own_seconds(work.run)
            ours = work.needed / needed / 1e9
            taken.append((needed, ours, ours / blas))
    names = "seconds", "GFLOP/s", "share"
    return dict(zip(names, np.median(taken, axis=0).tolist(), strict=True))


def job(work: Shard | Triangle, threads: int, together: Barrier, results: Queue) -> None:
    """Put the least wall time of some work, each time begun together with the other jobs."""
    times = []
    with threadpool_limits(threads):
        for _ in range(TRIALS):
            together.wait()
            times.append(seconds(work.run))
    results.put(min(times))


def two_jobs(work: Shard | Triangle) -> float:
    """Return how much more two jobs of one thread do than one of two."""
    spawn = multiprocessing.get_context("spawn")
    times = {}
    for n_jobs in (1, 2):
        together, results = spawn.Barrier(n_jobs), spawn.Queue()
        jobs = [
            spawn.Process(target=job, args=(work, 2 // n_jobs, together, results))
            for _ in range(n_jobs)
        ]
        for each in jobs:
            each.start()
        times[n_jobs] = np.mean([results.get() for _ in jobs]) / n_jobs
        for each in jobs:
            each.join()
    return float(times[1] / times[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--atoms", type=int, nargs="+", default=[21, 52])
    parser.add_argument("--directions", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--inducing", type=int, nargs="+", default=[1000, 3000])
    parser.add_argument("--kernel", choices=RADIAL, default="gaussian")
    parser.add_argument("--jobs", action="store_true", help="two jobs too; of an idle machine")
    given = parser.parse_args()
    print(environment.collect())

    def measured(work: Shard | Triangle, *reference: Any) -> dict[str, float]:
        return share(work, *reference) | ({"two_jobs": two_jobs(work)} if given.jobs else {})

    rows, triangles = [], []
    for shape in product(given.atoms, given.directions, given.inducing):
        row = dict(zip(("atoms", "directions", "inducing"), shape, strict=True))
        shard = Shard(given.frames, *shape, given.kernel)
        rows.append(row | measured(shard, np.float32, WIDTH))
    for n in given.inducing:
        triangles.append({"inducing": n} | measured(Triangle(n), np.float64, 1024))
    for title, table in (("rows, of sgemm's", rows), ("QR, of dgemm's", triangles)):
        print(f"\n{title}\n{pd.DataFrame(table).round(3).to_string(index=False)}")


if __name__ == "__main__":
    main()
