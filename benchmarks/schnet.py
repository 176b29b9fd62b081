"""Speed and error of SchNet's features at the size of OC20, against plain torch_geometric.

Random weights; one thread; `python -m benchmarks.schnet --help`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch_geometric.nn
from ase import Atoms

from benchmarks.backbones import formate_on_copper
from mekrr import environment
from mekrr.backbones.graph import AtomGraph
from mekrr.backbones.schnet.adapter import SchNet

SIZE = {
    "hidden_channels": 1024,
    "num_filters": 256,
    "num_interactions": 5,
    "num_gaussians": 200,
    "cutoff": 6.0,
}

Layers = dict[int, torch.Tensor]


def random_model(path: Path) -> torch_geometric.nn.SchNet:
    """A network of full size, written to ``path`` in the layout of OC20."""
    torch.manual_seed(0)
    model = torch_geometric.nn.SchNet(**SIZE).eval()
    torch.save({"state_dict": model.state_dict(), "config": {"model_attributes": SIZE}}, path)
    return model


def plain_layers(model: torch_geometric.nn.SchNet, graph: AtomGraph) -> Layers:
    """Features by torch_geometric's own interaction blocks."""
    edges = torch.stack([graph.neighbour, graph.centre])
    distance = graph.edge_vectors().norm(dim=1).float()
    smeared = model.distance_expansion(distance)
    h = model.embedding(graph.species)
    layers = {}
    for number, block in enumerate(model.interactions, start=1):
        h = h + block(h, edges, distance, smeared)
        layers[number] = h
    return layers


def medians(
    ways: dict[str, Callable[[AtomGraph], Layers]],
    graph_of: Callable[[Sequence[Atoms]], AtomGraph],
    frames: Sequence[Atoms],
    batch: int,
    repeats: int,
) -> dict[str, float]:
    """Median CPU time (s per frame) from frames to features.

    The ways take turns, so that all meet the same disturbances. CPU time, since others may
    use this machine.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, layers_of in ways.items():
            start = time.process_time()
            for k in range(0, len(frames), batch):
                layers_of(graph_of(frames[k : k + batch]))
            times[name].append((time.process_time() - start) / len(frames))
    return {name: float(np.median(values)) for name, values in times.items()}


def errors(layers: Layers, expected: Layers, embedding: torch.Tensor) -> str:
    """Per layer, the largest error in units of what interactions add to the embedding."""
    return " ".join(
        f"{float((layers[k] - h).abs().max() / (h - embedding).abs().max()):.0e}"
        for k, h in expected.items()
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.schnet")
    parser.description = __doc__.splitlines()[0]
    parser.add_argument("--repeats", type=int, default=9, help="the median of so many is shown")
    parser.add_argument("--frames", type=int, default=8, help="one by one, then as one batch")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.pt"
        model = random_model(path)
        exact = SchNet("exact", path, exact=True)
        start = time.process_time()
        table = SchNet("table", path)
        loading = time.process_time() - start
    ways = {
        "plain": lambda graph: plain_layers(model, graph),
        "exact": lambda graph: exact.forward(graph).layers,
        "table": lambda graph: table.forward(graph).layers,
    }
    frames = formate_on_copper(options.frames)
    graph = exact.graph(frames)
    record = environment.collect()
    print(f"{record['cpu']}, torch {record['torch']}, one thread; median of {options.repeats}")
    print(f"{len(frames[0])} atoms and {len(graph.centre) / len(frames):.0f} edges per frame")
    print(f"{table._model.table.intervals} intervals; loaded and tabulated in {loading:.1f} s")
    print("batch  way    CPU s per frame  ratio  largest |Δh| / largest |h - embedding|, by layer")
    with torch.inference_mode():
        embedding = model.embedding(graph.species)
        layers = {name: layers_of(graph) for name, layers_of in ways.items()}
        for batch in (1, len(frames)):
            seconds = medians(ways, exact.graph, frames, batch, options.repeats)
            for name, spent in seconds.items():
                ratio = seconds["plain"] / spent
                error = errors(layers[name], layers["plain"], embedding)
                print(f"{batch:5d}  {name} {spent:16.4f} {ratio:6.1f}  {error}")


if __name__ == "__main__":
    main()
