"""Rates of a sparse model's rows and of their QR decomposition, against BLAS's own in the same run.

Counted are the operations of the products that rows are made of, and those of Householder's
reflections; against large products in float32 and in float64. Frames are synthetic, a third of
their atoms of one species, the rest of another, as are the inducing atoms. And whether two jobs of
one thread do more than one of two. `python -m benchmarks.sparse_rows --help`.
"""

from __future__ import annotations

import argparse
import multiprocessing
from itertools import product
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


def peak_seconds(dtype: type) -> float:
    """Return seconds of 1e9 floating-point operations in a large product."""
    a, b = np.random.default_rng(0).random((2, 3000, 1024)).astype(dtype)
    return seconds(lambda: a @ b.T) * 1e9 / (2 * 3000 * 3000 * 1024)


def measured(threads: int, *shape: Any) -> dict[str, float]:
    """Return seconds of rows and of the decomposition, and their shares of BLAS's rates."""
    with threadpool_limits(threads):
        shard = Shard(*shape)
        rows = shard.rows()
        times = []
        for _ in range(REPEATS):  # in turn, as others may be at work on this machine
            times.append(
                (
                    peak_seconds(np.float32),
                    seconds(shard.rows),
                    peak_seconds(np.float64),
                    seconds(lambda: shard.factor(rows)),
                )
            )
    single, of_rows, double, of_factor = np.min(times, axis=0)
    return {
        "rows_s": of_rows,
        "rows_share": shard.products * single / 1e9 / of_rows,
        "qr_s": of_factor,
        "qr_share": shard.reflections * double / 1e9 / of_factor,
        "sgemm_GF/s": 1.0 / single,
        "dgemm_GF/s": 1.0 / double,
    }


def jobs_against_threads(*shape: Any) -> tuple[float, float]:
    """Return how many times as long one job of two threads takes as two of one, rows and QR."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(2) as pool:
        both = pool.starmap(measured, [(1, *shape)] * 2, chunksize=1)
    with spawn.Pool(1) as pool:
        (wide,) = pool.starmap(measured, [(2, *shape)])
    rows, qr = (
        2.0 * wide[name] / np.mean([one[name] for one in both]) for name in ("rows_s", "qr_s")
    )
    return float(rows), float(qr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--atoms", type=int, nargs="+", default=[21, 52])
    parser.add_argument("--directions", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--inducing", type=int, nargs="+", default=[1000, 3000])
    parser.add_argument("--kernel", choices=RADIAL, default="gaussian")
    parser.add_argument("--jobs", action="store_true", help="two jobs against two threads, too")
    given = parser.parse_args()
    print(environment.collect())
    table = []
    for shape in product(given.atoms, given.directions, given.inducing):
        row = dict(zip(("atoms", "directions", "inducing"), shape, strict=True))
        row |= measured(1, given.frames, *shape, given.kernel)
        if given.jobs:
            row["rows_2_threads"], row["qr_2_threads"] = jobs_against_threads(
                given.frames, *shape, given.kernel
            )
        table.append(row)
    print(pd.DataFrame(table).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
