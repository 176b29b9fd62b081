"""Speed and memory of the kernel engine on this machine, against plain ways in the same run.

`python -m benchmarks.gram --help`, or `make bench`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from mekrr import environment
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Gaussian
from mekrr.kernels.engine.coordinates import Coordinates
from mekrr.kernels.gram import species_gram
from mekrr.kernels.lengthscale import median_lengthscale

SPECIES = [6, 8, 8, 1] + [29] * 46  # formate on a slab, 50 atoms
ALPHAS = 21
LOW_RANK = 100  # directions of features that fill few


def random_features(n_frames: int, dimension: int, rank: int | None = None) -> FrameFeatures:
    """Random features of 50-atom frames around a centre for each species.

    Of full rank, or within ``rank`` directions and 1e-5 of their spread beyond them.
    """
    rng = np.random.default_rng(0)
    species = np.tile(SPECIES, n_frames)
    centres = {z: rng.normal(size=dimension) for z in set(SPECIES)}
    if rank is None:
        spread = rng.normal(size=(len(species), dimension))
    else:
        directions = np.linalg.qr(rng.normal(size=(dimension, rank)))[0]
        spread = rng.normal(size=(len(species), rank)) @ directions.T
        spread += 1e-5 * rng.normal(size=spread.shape)
    features = (
        0.3 * spread
        + np.stack([centres[z] for z in SPECIES])[np.arange(len(species)) % len(SPECIES)]
    )
    pointer = len(SPECIES) * np.arange(n_frames + 1)
    return FrameFeatures(features.astype(np.float32), species, pointer)


def published_way(frames: FrameFeatures, lengthscale: float, alpha: float) -> np.ndarray:
    """K_α from full atoms × atoms matrices and a species mask, as the published code does."""
    h, species = torch.from_numpy(frames.features), torch.as_tensor(frames.species)
    owner = torch.repeat_interleave(torch.arange(len(frames)), torch.as_tensor(frames.n_atoms))
    one_hot = torch.nn.functional.one_hot(owner, len(frames)).float()
    n_atoms = one_hot.sum(dim=0)
    same = (species[:, None] == species).float()
    _, kind = torch.unique(species, return_inverse=True)
    counts = torch.nn.functional.one_hot(kind).float().T @ one_hot
    n_own = counts[kind, owner]  # atoms of an atom's species in its frame

    distances = torch.cdist(h, h)
    kernel = torch.exp(-(distances**2) / (2 * lengthscale**2))
    k0 = one_hot.T @ kernel @ one_hot / torch.outer(n_atoms, n_atoms)
    k1 = one_hot.T @ (kernel * same / torch.outer(n_own, n_own)) @ one_hot
    return ((1 - alpha) * k0 + alpha * k1).numpy()


def keops_way(frames: FrameFeatures, lengthscale: float, alpha: float) -> np.ndarray:
    """K_0 alone by PyKeOps, which never holds the atoms × atoms matrix."""
    from pykeops.torch import LazyTensor

    h = torch.from_numpy(frames.features) / lengthscale
    owner = torch.repeat_interleave(torch.arange(len(frames)), torch.as_tensor(frames.n_atoms))
    one_hot = torch.nn.functional.one_hot(owner, len(frames)).float()
    one_hot /= one_hot.sum(dim=0)
    x, y = LazyTensor(h[:, None, :]), LazyTensor(h[None, :, :])
    kernel = (-((x - y) ** 2).sum(-1) / 2).exp()
    return (one_hot.T @ (kernel @ one_hot)).numpy()


def tiles(frames: FrameFeatures, lengthscale: float, alpha: float, threads: int) -> np.ndarray:
    """Our K_α; K_0 and every species' share with it."""
    return species_gram(frames, None, Gaussian(lengthscale), threads=threads).at(alpha)


WAYS = {"published": published_way, "keops": keops_way, "tiles": tiles}


def measured(way: str, shape: tuple, lengthscale: float, threads: int, repeats: int) -> tuple:
    """(s, MiB, K_α): least wall time, and the peak of memory beyond the features.

    To be run in a process of its own, whose peak it is.
    """
    frames = random_features(*shape)
    options = {"threads": threads} if way == "tiles" else {}
    torch.set_num_threads(threads)
    with threadpool_limits(threads):
        before = peak_memory(reset=True)
        start = time.perf_counter()
        kernel = WAYS[way](frames, lengthscale, 0.5, **options)
        wall = time.perf_counter() - start
        memory = peak_memory() - before
        for _ in range(repeats):
            wall = min(wall, seconds(lambda: WAYS[way](frames, lengthscale, 0.5, **options)))
    return wall, memory, kernel


def alone(function: Callable, *arguments: object) -> object:
    """The function's result from a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def peak_memory(*, reset: bool = False) -> float:
    """Largest resident memory of this process since the last reset, MiB (Linux)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 2**10


def seconds(action: Callable[[], object], repeats: int = 1) -> float:
    """Least wall time of ``repeats`` calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def sgemm_peak(threads: int) -> float:
    """Rate of a large float32 product, 1e9 floating-point operations per second."""
    a, b = np.random.default_rng(0).random((2, 6000, 1024), dtype=np.float32)
    with threadpool_limits(threads):
        return 2 * 6000 * 6000 * 1024 / seconds(lambda: a @ b.T, 5) / 1e9


def bench_peers(n_frames: int, dimension: int, rank: int | None, threads: int) -> None:
    """The engine against the published way and PyKeOps: time, memory, largest difference."""
    shape = (n_frames, dimension, rank)
    frames = random_features(*shape)
    sigma = median_lengthscale(frames.features, threads=threads)
    width = Coordinates.of([frames], sigma, np.float32).width
    kind = "full rank" if rank is None else f"rank {rank}, projected to {width} directions"
    print(f"\nT = {n_frames} frames of {len(SPECIES)} atoms, d = {dimension}, {kind}")
    wall, memory, ours = alone(measured, "tiles", shape, sigma, threads, 5)
    peak = sgemm_peak(threads)
    needed = len(frames.features) ** 2 * dimension / wall / 1e9
    print(
        f"  tiles, every α     {wall:7.3f} s {memory:7.0f} MiB   {needed:.0f} GFLOP/s of the "
        f"products needed, {100 * needed / peak:.0f} % of sgemm's {peak:.0f}"
    )
    for way in ("published", "keops"):
        try:
            repeats = 3 if way == "published" else 0  # PyKeOps takes a minute
            theirs, their_memory, kernel = alone(measured, way, shape, sigma, threads, repeats)
        except ImportError as error:
            print(f"  {way:18s} not measured: {error}")
            continue
        line = f"  {way + ', one α':18s} {theirs:7.3f} s {their_memory:7.0f} MiB   "
        line += f"{theirs / wall:.1f} × the time, {their_memory / memory:.0f} × the memory"
        if way == "published":
            line += f", for {ALPHAS} α {ALPHAS * theirs / wall:.0f} × the time; "
            line += f"largest difference {np.abs(kernel - ours).max():.0e}"
        print(line)


def bench_growth(sizes: list[int], dimension: int, threads: int) -> None:
    """Time and memory against the number of frames."""
    print(f"\nGrowth, d = {dimension}, full rank")
    for n_frames in sizes:
        wall, memory, _ = alone(measured, "tiles", (n_frames, dimension), 10.0, threads, 1)
        per_pair = 1e6 * wall / n_frames**2
        kernels = 8 * n_frames**2 * (1 + len(set(SPECIES))) / 2**20
        print(
            f"  T = {n_frames:5d} {wall:8.2f} s, {per_pair:.1f} µs a pair of frames, {memory:6.0f} "
            f"MiB of which {kernels:.0f} are the kernels"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200, help="frames against the peers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--growth", type=int, nargs="*", default=[250, 500, 1000], help="numbers of frames"
    )
    parser.add_argument("--width", type=int, default=256, help="features of the growth")
    options = parser.parse_args()
    record = environment.collect()
    print(
        f"{record['cpu']}, {options.threads} threads, torch {record['torch']}, "
        f"numpy {record['numpy']}, {record['blas']}"
    )
    for dimension in (256, 1024):
        bench_peers(options.frames, dimension, None, options.threads)
    bench_peers(options.frames, 1024, LOW_RANK, options.threads)
    bench_growth(options.growth, options.width, options.threads)


if __name__ == "__main__":
    main()
