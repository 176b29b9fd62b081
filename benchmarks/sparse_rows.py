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
        self.n_directions, self.n_inducing = n_directions, n_inducing
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

    def rows(self) -> list[np.ndarray]:
        """Compute the rows of derivatives, a few frames at a time as a fit does."""
        return [self.basis.rows(*some)[1] for some in self._batches]

    def factor(self, rows: list[np.ndarray]) -> None:
        """Decompose them."""
        factor, targets = Factor(self.n_inducing), np.ones(max(map(len, rows)))
        for some in rows:
            factor.add(some, targets[: len(some)])
        _ = factor.triangle

    @property
    def products(self) -> int:
        """Floating-point operations of the products of rows."""
        atoms, inducing = (
            np.bincount(s, minlength=SPECIES[-1] + 1)
            for s in (self.frames.species, self.basis.species)
        )
        return 2 * WIDTH * (1 + self.n_directions) * int(atoms @ inducing)

    @property
    def reflections(self) -> int:
        """Floating-point operations of the decomposition."""
        return 2 * len(self.frames) * self.n_directions * (self.n_inducing + 1) ** 2


def _species(n: int) -> np.ndarray:
    first = round(SHARE * n)
    return np.repeat(SPECIES, [first, n - first])


def own_seconds(action: Callable[[], object]) -> float:
    """Return the processor's time of a call; others may be at work on this machine."""
    start = time.process_time()
    action()
    return time.process_time() - start


def rate(dtype: type, inner: int) -> float:
    """Return 1e9 floating-point operations per second in products (1024, inner) by its like."""
    a, b = np.random.default_rng(0).random((2, 1024, inner)).astype(dtype)
    n_products = 2**14 // inner
    needed = own_seconds(lambda: [a @ b.T for _ in range(n_products)])
    return 2 * 1024 * 1024 * inner * n_products / needed / 1e9


def shares(*shape: Any) -> dict[str, float]:
    """Return seconds of rows and of the decomposition, and their shares of BLAS's rates.

    These are medians, each taken beside a rate of its own.
    """
    with threadpool_limits(1):
        shard = Shard(*shape)
        rows = shard.rows()
        taken = []
        for _ in range(REPEATS):
            single = rate(np.float32, WIDTH)
            of_rows = own_seconds(shard.rows)
            double = rate(np.float64, 1024)
            of_factor = own_seconds(lambda: shard.factor(rows))
            in_rows = shard.products / of_rows / 1e9
            in_factor = shard.reflections / of_factor / 1e9
            taken.append((of_rows, in_rows / single, single, of_factor, in_factor / double, double))
    names = "rows_s", "rows/sgemm", "sgemm_GF/s", "qr_s", "qr/dgemm", "dgemm_GF/s"
    return dict(zip(names, np.median(taken, axis=0).tolist(), strict=True))


def job(threads: int, shape: tuple, together: Barrier, results: multiprocessing.Queue) -> None:
    """Put the least wall times of rows and of the decomposition, of jobs that start together."""
    with threadpool_limits(threads):
        shard = Shard(*shape)
        rows = shard.rows()
        times = []
        for _ in range(TRIALS):
            pair = []
            for action in (shard.rows, lambda: shard.factor(rows)):
                together.wait()
                pair.append(seconds(action))
            times.append(pair)
    results.put(np.min(times, axis=0))


def jobs_against_threads(*shape: Any) -> dict[str, float]:
    """Return how much more two jobs of one thread do than one of two, in rows and in QR."""
    spawn = multiprocessing.get_context("spawn")
    times = {}
    for n_jobs in (1, 2):
        together, results = spawn.Barrier(n_jobs), spawn.Queue()
        jobs = [
            spawn.Process(target=job, args=(2 // n_jobs, shape, together, results))
            for _ in range(n_jobs)
        ]
        for each in jobs:
            each.start()
        times[n_jobs] = np.mean([results.get() for _ in jobs], axis=0) / n_jobs
        for each in jobs:
            each.join()
    rows, qr = times[1] / times[2]
    return {"rows_2_jobs": float(rows), "qr_2_jobs": float(qr)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--atoms", type=int, nargs="+", default=[21, 52])
    parser.add_argument("--directions", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--inducing", type=int, nargs="+", default=[1000, 3000])
    parser.add_argument("--kernel", choices=RADIAL, default="gaussian")
    parser.add_argument(
        "--jobs",
        action="store_true",
        help="two jobs against two threads, too: asks for an idle machine",
    )
    given = parser.parse_args()
    print(environment.collect())
    table = []
    for shape in product(given.atoms, given.directions, given.inducing):
        row = dict(zip(("atoms", "directions", "inducing"), shape, strict=True))
        row |= shares(given.frames, *shape, given.kernel)
        if given.jobs:
            row |= jobs_against_threads(given.frames, *shape, given.kernel)
        table.append(row)
    print(pd.DataFrame(table).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
