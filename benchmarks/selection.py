"""How the cost of choosing frames grows with their number: seconds and memory.

One process each, one thread; `python -m benchmarks.selection --help`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time

import numpy as np
import torch

from benchmarks.backbones import formate_on_copper
from mekrr import environment
from mekrr.selection import select_frames


def measure(n_frames: int, n: int) -> tuple[float, float]:
    """Return the seconds of a core and the peak memory, MiB, of choosing ``n`` frames."""
    torch.set_num_threads(1)
    frames = formate_on_copper(n_frames)
    began = time.process_time()
    select_frames(frames, n, backbone="sevennet-0", seed=0)
    spent = time.process_time() - began
    return spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print a table of sizes, and the exponent between the first and the last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 200, 400, 800])
    parser.add_argument("-n", type=int, default=20, help="frames chosen (20)")
    options = parser.parse_args()
    print(f"{environment.cpu_model()}, torch {torch.__version__}; {options.n} chosen, 52 atoms")
    print(f"{'frames':>8}{'core s':>10}{'ms/frame':>10}{'MiB':>8}")
    seconds = []
    for n_frames in options.frames:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            spent, memory = pool.apply(measure, (n_frames, options.n))
        seconds.append(spent)
        print(f"{n_frames:8d}{spent:10.1f}{1000 * spent / n_frames:10.1f}{memory:8.0f}", flush=True)
    growth = np.log(seconds[-1] / seconds[0]) / np.log(options.frames[-1] / options.frames[0])
    print(f"grows with the number of frames to the power of {growth:.2f}")


if __name__ == "__main__":
    main()
