"""What a sparse model costs after its features: rows, triangles, the choice among a whole grid.

Features and derivatives are synthetic, of copper slabs with formate in number of atoms and width,
their spread falling as that of a network's does. One fit in a process of its own, so that its peak
memory is its own; `python -m benchmarks.sparse --help`.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd

from mekrr import environment
from mekrr.features.directions import FrameDirections
from mekrr.features.store import FrameFeatures
from mekrr.models.sparse.data import Data
from mekrr.models.sparse.fit import fit_sparse
from mekrr.models.sparse.select import REGULARISATIONS, SIGMAS_ENERGY
from mekrr.models.sparse.settings import Open

NUMBERS = np.repeat([6, 8, 1, 29], [1, 2, 1, 48])  # formate on 48 copper atoms
DECAY = 1.0  # of the spread of features with their rank
MB = 1e6


def layer(rng: np.random.Generator, n_frames: int, n_directions: int, width: int) -> tuple:
    """Return features and derivatives of one layer."""
    n_atoms = len(NUMBERS)
    species = np.tile(NUMBERS, n_frames)
    spread = (np.arange(1, width + 1) ** -DECAY).astype(np.float32)
    h = rng.standard_normal((n_frames * n_atoms, width), dtype=np.float32) * spread
    u = rng.standard_normal((n_frames * n_directions * n_atoms, width), dtype=np.float32) * spread
    pointer = np.arange(n_frames + 1) * n_atoms
    counts = np.full(n_frames, n_directions)
    sizes = np.full(n_frames, n_atoms)
    return FrameFeatures(h, species, pointer), FrameDirections(u, counts, sizes, None)


def fit(n_frames: int, n_directions: int, n_inducing: int, n_layers: int, width: int) -> None:
    """Fit once, and print seconds, MB of the data, and of the peak beyond them."""
    rng = np.random.default_rng(0)
    layers = {k: layer(rng, n_frames, n_directions, width) for k in range(n_layers)}
    n_data = sum(f.features.nbytes + d.derivatives.nbytes for f, d in layers.values())
    energy = rng.standard_normal(n_frames)
    slope = rng.standard_normal(n_frames * n_directions)
    order = rng.permutation(n_frames)
    parts = [np.sort(order[n_frames // 4 :]), np.sort(order[: n_frames // 4])]
    data = Data(
        {k: f for k, (f, _) in layers.items()},
        {k: d for k, (_, d) in layers.items()},
        energy,
        slope,
        np.full(n_frames, len(NUMBERS)),
        parts,
        True,
    )
    options = Open(
        [(k,) for k in layers], [2.0], [1.0], [n_inducing], SIGMAS_ENERGY, REGULARISATIONS
    )
    begin = time.perf_counter()
    fit_sparse(data, "gaussian", "whitened", "cholesky", options)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(seconds, n_data / MB, peak / MB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[180, 360, 720])
    parser.add_argument("--directions", type=int, default=16)
    parser.add_argument("--inducing", type=int, default=2000)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    rest = (given.directions, given.inducing, given.layers, given.width)
    if given.one:
        fit(given.frames[0], *rest)
        return
    rows = []
    for n_frames in given.frames:
        command = [sys.executable, "-m", "benchmarks.sparse", "--one", "--frames", str(n_frames)]
        for name, value in zip(("directions", "inducing", "layers", "width"), rest, strict=True):
            command += [f"--{name}", str(value)]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        rows.append([n_frames, *map(float, found)])
    table = pd.DataFrame(rows, columns=["frames", "seconds", "data_MB", "peak_MB"])
    table["s_per_frame"] = table["seconds"] / table["frames"]
    print(environment.collect())
    print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
