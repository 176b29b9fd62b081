"""What a step of training costs, with frozen layers computed once and with none of that.

And what adding up messages costs, by `mekrr.backbones.rows` and by torch's index_add, and a
convolution that forces are learnt through, by loops and with filters in memory. Random weights
where weights cannot be had; one thread; `python -m benchmarks.training`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from ase import Atoms

from benchmarks.backbones import formate_on_copper
from benchmarks.schnet import random_model
from mekrr import environment
from mekrr.backbones.chgnet.finetune import FineTunedCHGNet
from mekrr.backbones.graph import AtomGraph, build_graph
from mekrr.backbones.network import Network
from mekrr.backbones.radial import Radial
from mekrr.backbones.rows import add_up, gather, grouping
from mekrr.backbones.schnet.convolution import InLoops, InMemory
from mekrr.backbones.schnet.finetune import FineTunedSchNet, SchNetFromScratch
from mekrr.backbones.sevennet.finetune import FineTunedSevenNet
from mekrr.models.network.states import States, write_states

PUBLISHED = {
    "hidden_channels": 256,
    "num_filters": 64,
    "num_interactions": 3,
    "num_gaussians": 200,
    "cutoff": 10.0,
}


def networks(folder: Path) -> dict[str, Network]:
    """The networks by what is frozen of them."""
    random_model(folder / "oc20.pt")
    return {
        "SchNet as published, nothing": SchNetFromScratch("schnet", 0, **PUBLISHED),
        "SchNet of OC20's size, 3 of 5": FineTunedSchNet("ft", "-", 3, folder / "oc20.pt"),
        "SevenNet-0, 4 of 5": FineTunedSevenNet("sevennet", "-", 4),
        "SevenNet-0, 3 of 5": FineTunedSevenNet("sevennet", "-", 3),
        "CHGNet, 3 of 4": FineTunedCHGNet("chgnet", "-", 3),
        "CHGNet, 2 of 4": FineTunedCHGNet("chgnet", "-", 2),
    }


def seconds_of(step: Callable[[], torch.Tensor], network: Network, repeats: int) -> float:
    """Median CPU time (s) of an energy and its gradient; CPU time, since others may compute."""
    weights = [p for p in network.module().parameters() if p.requires_grad]
    return _seconds(lambda: torch.autograd.grad(step().sum(), weights), repeats)


def _seconds(run: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return float(np.median(times))


def measure(network: Network, frames: Sequence[Atoms], folder: Path, repeats: int) -> str:
    """One line of the table."""
    device = torch.device("cpu")
    write_states(folder / "states", network, frames, device, {})
    states, every = States(folder / "states"), range(len(frames))
    size = (folder / "states").stat().st_size / len(frames)
    ways = {
        "whole": lambda: network.energy(network.graph(frames)),
        "head": lambda: network.head(states.batch(every, network.indices, device)),
    }
    times = {name: seconds_of(step, network, repeats) / len(frames) for name, step in ways.items()}
    trunk, gain = states.seconds / len(frames), times["whole"] / times["head"]
    return f"{trunk:9.4f} {times['whole']:9.4f} {times['head']:9.4f} {gain:7.1f} {size / 1e3:8.0f}"


def measure_rows(graph: AtomGraph, width: int, repeats: int) -> str:
    """Messages of a graph's edges added up, forward and backward, and the same by torch's own."""
    n_atoms, n_edges = len(graph.species), len(graph.centre)
    state = grouping("centre", graph.centre, n_atoms)
    state |= grouping("neighbour", graph.neighbour, n_atoms)
    x = torch.randn(n_atoms, width, requires_grad=True)
    ways = {"one pass": lambda: add_up(state, "centre", gather(state, "neighbour", x))}
    for index in ("int32", "int64"):
        centre, neighbour = (i.to(getattr(torch, index)) for i in (graph.centre, graph.neighbour))
        ways[f"index_add, {index}"] = lambda c=centre, n=neighbour: torch.zeros_like(x).index_add(
            0, c, x.index_select(0, n)
        )
    texts = []
    for name, way in ways.items():
        time_taken = _seconds(lambda w=way: w().sum().backward(), repeats)
        texts.append(f"{name} {1e3 * time_taken:.2f} ms")
    return f"{n_edges} messages of width {width} to {n_atoms} atoms and back: " + ", ".join(texts)


def measure_convolution(graph: AtomGraph, width: int, repeats: int) -> str:
    """Sums over neighbours, their slopes, and what these owe to all that is learnt."""
    radial = Radial(cutoff=6.0, spacing=0.01)
    graph.positions.requires_grad_()
    x, values = (
        torch.randn(n, width, requires_grad=True) for n in (len(graph.species), len(radial.knots))
    )

    def step(kind: type[InLoops] | type[InMemory]) -> None:
        energy = kind(radial, graph)(values, x).square().sum()
        (slope,) = torch.autograd.grad(energy, graph.positions, create_graph=True)
        torch.autograd.grad(slope.square().sum() + energy, (x, values))

    step(InLoops)  # compiles
    loops, memory = (_seconds(lambda k=kind: step(k), repeats) for kind in (InLoops, InMemory))
    return (
        f"a convolution over {len(graph.centre)} edges of width {width}, slopes and their "
        f"derivatives: in loops {1e3 * loops:.1f} ms, filters in memory {1e3 * memory:.1f} ms, "
        f"ratio {memory / loops:.1f}"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training")
    parser.description = __doc__.splitlines()[0]
    parser.add_argument("--repeats", type=int, default=5, help="the median of so many is shown")
    parser.add_argument("--frames", type=int, default=8, help="of a batch")
    options = parser.parse_args()
    torch.set_num_threads(1)
    frames = formate_on_copper(options.frames)
    record = environment.collect()
    print(f"{record['cpu']}, torch {record['torch']}, one thread; median of {options.repeats}")
    print(f"{len(frames[0])} atoms per frame, {options.frames} frames per step; CPU s per frame")
    print("network, frozen                   trunk once     whole      head   ratio  kB/frame")
    with tempfile.TemporaryDirectory() as folder:
        for name, network in networks(Path(folder)).items():
            print(f"{name:32s} {measure(network, frames, Path(folder), options.repeats)}")
    graph = build_graph(frames, cutoff=6.0)
    for width in (64, 128):
        print(measure_rows(graph, width, 4 * options.repeats))
        print(measure_convolution(graph, width, 4 * options.repeats))


if __name__ == "__main__":
    main()
