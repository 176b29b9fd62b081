"""Memory of extracting and merging features while the number of frames grows.

A stand-in network returns random features of full size (five layers of 1024), so that
the time is that of the engine and of the disk. Each size runs in a process of its own,
whose largest resident memory is reported.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from ase.build import fcc110

from mekrr.backbones.base import BackboneOutput
from mekrr.features.extract import extract_to
from mekrr.features.store import merge_shards

LAYERS, WIDTH = (1, 2, 3, 4, 5), 1024
RECORD = {"backbone": "random", "weights_sha256": "none", "device": "cpu"}


class RandomFeatures:
    """As a backbone, but for the network."""

    name, layers = "random", LAYERS

    def graph(self, frames):
        return torch.zeros(sum(map(len, frames)))

    def forward(self, graph):
        return BackboneOutput({k: torch.randn(len(graph), WIDTH) for k in LAYERS}, None)

    def to(self, device):
        return self


def run(n_frames: int, shard_frames: int) -> None:
    """Extract ``n_frames`` in shards, merge them, print seconds, GB written and memory."""
    frame = fcc110("Cu", (3, 4, 4), vacuum=8.0)
    frame += frame[-4:]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        shards = []
        for start in range(0, n_frames, shard_frames):
            frames = [frame.copy() for _ in range(min(shard_frames, n_frames - start))]
            shards.append(Path(folder, f"{start}.safetensors"))
            extract_to(
                shards[-1],
                RandomFeatures(),
                frames,
                batch_size={"cpu": 8},
                device=torch.device("cpu"),
                atoms="all",
                dtype="float32",
                provenance=RECORD | {"dtype": "float32"},
                source="benchmark",
            )
        whole = Path(folder, "all.safetensors")
        merge_shards(whole, shards)
        size = whole.stat().st_size
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{n_frames:8d} {seconds:9.1f} {size / 1e9:9.2f} {peak:15.2f}", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features")
    parser.description = __doc__.splitlines()[0]
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--shard-frames", type=int, default=200)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        run(options.only, options.shard_frames)
        return
    print(f"{'frames':>8} {'seconds':>9} {'GB':>9} {'peak memory GiB':>15}", flush=True)
    for n_frames in options.frames:
        command = [sys.executable, "-m", "benchmarks.features", "--only", str(n_frames)]
        command += ["--shard-frames", str(options.shard_frames)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
