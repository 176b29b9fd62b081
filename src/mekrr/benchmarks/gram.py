"""Speed of features and kernels on this machine, against plain alternatives in the same run.

`python -m mekrr.benchmarks.gram --help`, or `make bench`.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
import torch
from ase import Atoms
from ase.build import add_adsorbate, fcc110
from threadpoolctl import threadpool_limits

from mekrr import provenance
from mekrr.backbones import load_backbone
from mekrr.features.store import FrameFeatures
from mekrr.kernels.atom import Gaussian
from mekrr.kernels.gram import species_gram
from mekrr.kernels.lengthscale import median_lengthscale

ATOMS = 52
SPECIES = np.array([6, 8, 8, 1] + [29] * (ATOMS - 4))


def formate_on_copper(n_frames: int) -> list[Atoms]:
    """Frames of HCOO on Cu(110), 52 atoms, displaced at random (0.1 Å)."""
    rng = np.random.default_rng(0)
    slab = fcc110("Cu", (4, 3, 4), a=3.6, vacuum=10.0, periodic=True)
    formate = Atoms("COOH", [[0, 0, 0.7], [-1.1, 0, 0], [1.1, 0, 0], [0, 0, 1.8]])
    add_adsorbate(slab, formate, 2.0, position=slab.positions[-1, :2])
    frames = []
    for _ in range(n_frames):
        atoms = slab.copy()
        atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
        frames.append(atoms)
    return frames


def random_features(n_frames: int, dimension: int) -> FrameFeatures:
    """Full-rank random features of 52-atom frames, clustered by species."""
    rng = np.random.default_rng(0)
    species = np.tile(SPECIES, n_frames)
    centres = {z: rng.normal(size=dimension) for z in set(SPECIES.tolist())}
    features = np.stack([centres[z] for z in SPECIES])[None] + 0.3 * rng.normal(
        size=(n_frames, ATOMS, dimension)
    )
    return FrameFeatures(
        features.reshape(-1, dimension).astype(np.float32),
        species,
        ATOMS * np.arange(n_frames + 1),
    )


def published_way(frames: FrameFeatures, lengthscale: float, alpha: float) -> np.ndarray:
    """K_α from full atoms × atoms matrices and species masks, as the published code does."""
    h = torch.from_numpy(frames.features)
    kernel = torch.exp(-(torch.cdist(h, h) ** 2) / (2 * lengthscale**2))
    owner = torch.repeat_interleave(torch.arange(len(frames)), torch.as_tensor(frames.n_atoms))
    species = torch.as_tensor(frames.species)

    def mean_over_frames(values: torch.Tensor, owner: torch.Tensor) -> torch.Tensor:
        one_hot = torch.nn.functional.one_hot(owner, len(frames)).float()
        counts = one_hot.sum(dim=0)
        return one_hot.T @ values @ one_hot / torch.outer(counts, counts)

    k0 = mean_over_frames(kernel, owner)
    k1 = torch.zeros_like(k0)
    for s in torch.unique(species):
        atoms = (species == s).nonzero()[:, 0]
        k1 += mean_over_frames(kernel[atoms[:, None], atoms], owner[atoms])
    return ((1 - alpha) * k0 + alpha * k1).numpy()


def seconds(action: Callable[[], object], repeats: int) -> float:
    """Least wall time of ``repeats`` calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def bench_features(n_frames: int) -> None:
    """Seconds per 52-atom frame on one core, both embedded backbones."""
    torch.set_num_threads(1)
    frames = formate_on_copper(n_frames)
    print(f"features of {n_frames} frames of {len(frames[0])} atoms, one core, s per frame")
    for name, family in (("sevennet-0", "sevennet"), ("chgnet-0.3.0", "chgnet")):
        backbone = load_backbone(name, family)
        for batch in (1, 2, 8):

            def action(backbone=backbone, batch=batch) -> None:
                with torch.inference_mode():
                    for start in range(0, n_frames, batch):
                        backbone.forward(backbone.graph(frames[start : start + batch]))

            action()
            print(f"  {name:14s} batch {batch}: {seconds(action, 2) / n_frames:.3f}")


def bench_gram(n_frames: int, dimension: int, threads: int) -> None:
    """One Gram of random features: K_0 and K_1 together."""
    frames = random_features(n_frames, dimension)
    kernel = Gaussian(median_lengthscale(frames.features))
    wall = seconds(lambda: species_gram(frames, None, kernel, threads=threads), 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"Gram of {n_frames} × {n_frames} frames of {ATOMS} atoms, d = {dimension}, "
        f"{threads} threads: {wall:.2f} s, peak memory of the process {peak:.2f} GiB"
    )


def bench_peer(n_frames: int, dimension: int, threads: int) -> None:
    """Tiles against the published way, in one run."""
    frames = random_features(n_frames, dimension)
    sigma = median_lengthscale(frames.features)
    torch.set_num_threads(threads)
    with threadpool_limits(threads):
        theirs = seconds(lambda: published_way(frames, sigma, 0.5), 2)
    ours = seconds(lambda: species_gram(frames, None, Gaussian(sigma), threads=threads), 3)
    gram = species_gram(frames, None, Gaussian(sigma), threads=threads)
    difference = np.abs(published_way(frames, sigma, 0.5) - 0.5 * (gram.k0 + gram.k1)).max()
    print(
        f"T = {n_frames}, d = {dimension}: published way (one α) {theirs:.2f} s, tiles (all α) "
        f"{ours:.2f} s, ratio {theirs / ours:.1f}, largest difference {difference:.1e}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=24, help="frames for the features")
    parser.add_argument("--gram-frames", type=int, default=720, help="frames of the large Gram")
    parser.add_argument("--threads", type=int, default=2, help="threads of the kernels")
    options = parser.parse_args()
    record = provenance.collect()
    print(f"{record['cpu']}, torch {record['torch']}, numpy {record['numpy']}")
    bench_gram(options.gram_frames, 128, options.threads)
    for dimension in (128, 256, 1024):
        bench_peer(200, dimension, options.threads)
    bench_features(options.frames)


if __name__ == "__main__":
    main()
