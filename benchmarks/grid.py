"""Time of the search over α and λ against that of the Gram matrix that it needs.

`python -m benchmarks.grid --help`. Beside the reduction of `mekrr.models.ridge.RidgePath` stands,
in the same run, an eigendecomposition per α.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.gram import random_features, seconds
from mekrr import environment
from mekrr.kernels.atom import Gaussian
from mekrr.kernels.gram import Gram, species_gram, train_gram
from mekrr.kernels.lengthscale import median_lengthscale
from mekrr.metrics import rmse
from mekrr.models.problem import Problem
from mekrr.models.select import alpha_grid, regularisation_grid, sweep

ALPHAS = alpha_grid(1e-4, 21)
REGULARISATIONS = regularisation_grid(1e-11, 1e-3, 9)
REPEATS = 3


def energies_only(energy: np.ndarray, n_train: int) -> Problem:
    """Energies (n,) to be learnt from the first ``n_train``, the rest for validation; n_atoms 1."""
    parts = np.repeat(["train", "val"], [n_train, len(energy) - n_train])
    return Problem(pd.DataFrame({"energy": energy, "n_atoms": 1}), parts, np.zeros(len(energy)))


def by_eigenvalues(gram: Gram, problem: Problem, threads: int) -> np.ndarray:
    """(n_α, n_λ) validation RMSE (eV) from an eigendecomposition per α."""
    target, train, val = problem.residual, problem.members("train"), problem.members("val")
    rows, others = gram.rows(train), gram.rows(val)
    mean, scale = target[train].mean(), target[train].std()
    standard = (target[train] - mean) / scale

    def of_alpha(alpha: float) -> list[float]:
        kernel, new = rows.at(alpha), others.at(alpha)
        values, vectors = np.linalg.eigh(kernel)
        shifted = values + REGULARISATIONS[:, None] * len(train)
        coefficients = (vectors.T @ standard / shifted) @ vectors.T
        return [rmse(e) for e in mean + scale * (coefficients @ new.T) - target[val]]

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        return np.array(list(pool.map(of_alpha, ALPHAS)))


def bench(n_train: int, dimension: int, threads: int) -> None:
    """One Gram matrix and the grid on it; a third as many validation frames."""
    n_frames = n_train + n_train // 3
    frames, train = random_features(n_frames, dimension), np.arange(n_train)
    known = frames.select(train)
    kernel = Gaussian(median_lengthscale(known.features))
    gram_time = seconds(lambda: species_gram(known, None, kernel, threads=threads), 1)
    gram = train_gram(frames, train, kernel, threads=threads)
    mixture, rng = gram.at(0.1), np.random.default_rng(0)
    factor = np.linalg.cholesky(mixture[train])
    energy = mixture @ np.linalg.solve(factor.T, rng.normal(size=n_train))
    energy += 0.01 * energy.std() * rng.normal(size=n_frames)
    problem = energies_only(energy, n_train)
    data = (gram, [problem], ALPHAS, REGULARISATIONS, threads)
    times = {
        "validation": seconds(lambda: sweep(*data), REPEATS),
        "validation and leave-one-out": seconds(
            lambda: sweep(*data, leave_one_out=[True]), REPEATS
        ),
        "validation, by eigenvalues": seconds(
            lambda: by_eigenvalues(gram, problem, threads), REPEATS
        ),
    }
    theirs = by_eigenvalues(gram, problem, threads)
    ours = sweep(*data)[0]["rmse"].to_numpy().reshape(theirs.shape) / 1000.0
    print(f"T = {n_train}, d = {dimension}, {threads} threads: Gram {gram_time:.2f} s")
    for title, wall in times.items():
        print(f"  grid, {title}: {wall:.2f} s, {100 * wall / gram_time:.0f} % of the Gram")
    print(f"  largest relative difference of an RMSE: {np.abs(ours / theirs - 1).max():.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1000, help="training frames")
    parser.add_argument("--dimensions", type=int, nargs="+", default=[128, 256, 1024])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    record = environment.collect()
    print(f"{record['cpu']}, numpy {record['numpy']}")
    for dimension in options.dimensions:
        bench(options.frames, dimension, options.threads)


if __name__ == "__main__":
    main()
