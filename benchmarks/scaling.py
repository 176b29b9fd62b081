"""What a study of many frames costs, by a model, and the model beside points measured here.

`python -m benchmarks.scaling --help`. The rates are those of one core of an AMD EPYC; the
last table tells how much faster or slower this machine is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch

from benchmarks.backbones import formate_on_copper
from benchmarks.gram import random_features
from benchmarks.grid import energies_only
from mekrr import environment
from mekrr.backbones.load import load_backbone
from mekrr.kernels.atom import Gaussian
from mekrr.kernels.gram import train_gram
from mekrr.models.select import sweep

# Seconds on one core.
FEATURES = 1.6e-3  # an atom, SevenNet-0
PAIR = 2.0e-9, 2.0e-11  # a pair of atoms: its exponential and sums, and for each feature
REDUCTION = 1 / 1.5e10  # one of the (8/3) T³ operations of a fit with one α

ATOMS, WIDTH, LAYERS, SPECIES, ALPHAS = 50, 128, 3, 4, 21
TRAIN = 0.6
FORMS = 1.5  # of energies per atom there are no leave-one-out errors
LARGEST_FIT = 10_000  # training frames of the rows that do not use all


def features_seconds(n_frames: float, n_atoms: int = ATOMS) -> float:
    """Features of all layers."""
    return FEATURES * n_frames * n_atoms


def kernels_seconds(n_frames: float, n_train: float, n_atoms: int, width: int) -> float:
    """Kernels of one layer: all frames with the training frames, of these each pair once."""
    pairs = n_atoms**2 * n_train * (n_frames - n_train / 2)
    return (PAIR[0] + PAIR[1] * width) * pairs


def fit_seconds(n_train: float) -> float:
    """One layer and α: the reduction, and as much again for leave-one-out."""
    return REDUCTION * 8 / 3 * n_train**3


def features_bytes(n_frames: float) -> float:
    """All layers, float32."""
    return 4.0 * n_frames * ATOMS * WIDTH * LAYERS


def kernels_bytes(n_frames: float, n_train: float) -> float:
    """K_0 and the share of each species, all layers, float64."""
    return 8.0 * n_frames * n_train * (1 + SPECIES) * LAYERS


def fit_bytes(n_frames: float, n_train: float) -> float:
    """Main memory of a fit with two threads: kernels of one layer, and matrices of T²."""
    return 8.0 * n_train * (12 * n_frames + 6 * n_train)


def rows(sizes: list[int]) -> Iterator[tuple[int, int]]:
    """Frames and training frames: the share of the study, and no more than a fit can take."""
    for n_frames in sizes:
        n_train = round(TRAIN * n_frames)
        yield from dict.fromkeys([(n_frames, n_train), (n_frames, min(n_train, LARGEST_FIT))])


def print_model(sizes: list[int]) -> None:
    print(
        f"\nModel: {ATOMS} atoms, {LAYERS} layers of {WIDTH} features (SevenNet-0), {SPECIES} "
        f"species, {ALPHAS} α, one split, one core"
    )
    print(
        "   frames  training   features: h       GB     kernels: h       GB"
        "    fit: h   GB of memory"
    )
    for n_frames, n_train in rows(sizes):
        hours = (
            features_seconds(n_frames),
            LAYERS * kernels_seconds(n_frames, n_train, ATOMS, WIDTH),
            LAYERS * ALPHAS * FORMS * fit_seconds(n_train),
        )
        size = features_bytes(n_frames), kernels_bytes(n_frames, n_train)
        print(
            f"{n_frames:9d} {n_train:9d} {hours[0] / 3600:13.1f} {size[0] / 1e9:8.1f} "
            f"{hours[1] / 3600:14.1f} {size[1] / 1e9:8.1f} {hours[2] / 3600:9.1f} "
            f"{fit_bytes(n_frames, n_train) / 1e9:14.1f}"
        )


def core_seconds(action: Callable[[], object]) -> tuple[float, object]:
    """Time that one call takes of a core, whatever else the machine does, and its result."""
    began = time.process_time()
    result = action()
    return time.process_time() - began, result


def measure(sizes: list[int]) -> Iterator[tuple[str, float, float]]:
    """What, seconds by the model, seconds measured: one thread."""
    frames = formate_on_copper(12)
    backbone = load_backbone("sevennet-0", "sevennet")

    def features() -> None:
        with torch.inference_mode():
            for frame in frames:
                backbone.forward(backbone.graph([frame]))

    features()  # compiles
    here, _ = core_seconds(features)
    yield f"features, {len(frames)} frames", features_seconds(len(frames), len(frames[0])), here
    kernel, rng = Gaussian(float(np.sqrt(WIDTH))), np.random.default_rng(0)
    for n_frames in sizes:
        found, n_train = random_features(n_frames, WIDTH), round(TRAIN * n_frames)
        here, gram = core_seconds(partial(train_gram, found, np.arange(n_train), kernel))
        model = kernels_seconds(n_frames, n_train, ATOMS, WIDTH)
        yield f"kernels, {n_frames} frames", model, here
        problem = energies_only(rng.normal(size=n_frames), n_train)
        grid = (np.array([0.5]), np.geomspace(1e-9, 1e-3, 4))
        fit = partial(sweep, gram, [problem], *grid, leave_one_out=[True])
        here, _ = core_seconds(fit)
        yield f"fit, {n_train} training frames", fit_seconds(n_train), here


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
    parser.description = __doc__.splitlines()[0]
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--measured", type=int, nargs="*", default=[500, 1000, 2000])
    options = parser.parse_args()
    print_model(options.sizes)
    if options.measured:
        torch.set_num_threads(1)
        print(f"\nMeasured: {environment.collect()['cpu']}, time of one core")
        print(f"{'':30s}  model, s  here, s  here/model")
        for what, model, here in measure(options.measured):
            print(f"{what:30s} {model:9.2f} {here:8.2f} {here / model:11.2f}", flush=True)


if __name__ == "__main__":
    main()
