"""List the backbones known by name: `python -m mekrr.backbones`, `make backbones`."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping

import torch
from ase import Atoms
from ase.data import chemical_symbols

from mekrr.backbones import load_backbone
from mekrr.backbones.base import Backbone
from mekrr.backbones.registry import registered, weights_path
from mekrr.errors import BackboneError, first_line
from mekrr.torch_settings import own_torch_settings

SHOWN = ("title", "family", "training_data", "licence", "reference")


def describe(name: str, entry: Mapping) -> list[str]:
    """Lines on one entry of the registry: what it is, and what its weights turn out to be."""
    lines = [f"{name}", *(f"  {key}: {entry[key]}" for key in SHOWN if key in entry)]
    weights = entry.get("weights", {})
    path = weights_path(weights)
    if path is not None and not path.is_file():
        source = weights.get("download", {}).get("url", "a file of yours")
        return [*lines, f"  weights: absent ({path}, from {source})"]
    model = entry.get("options", {}).get("model")
    if model is not None:  # a list must not download gigabytes
        return [*lines, f"  weights: {model}, fetched by its library when first used"]
    try:
        backbone = load_backbone(name, entry["family"], entry.get("options"), path)
    except BackboneError as error:
        return [*lines, f"  weights: not usable ({first_line(error)})"]
    source = "none needed"
    if backbone.weights_sha256 != "none":
        source = f"{path or 'inside a package'}, sha256 {backbone.weights_sha256}"
    widths = ", ".join(f"{layer}: {width}" for layer, width in widths_of(backbone).items())
    return [
        *lines,
        f"  weights: {source}",
        f"  layers and widths: {widths}; fitted: {', '.join(map(str, entry['layers']))}",
        f"  energy: {'yes' if backbone.has_energy else 'no'}",
        f"  elements: {_ranges(sorted(backbone.species))}",
    ]


def widths_of(backbone: Backbone) -> dict[int, int]:
    """Number of features of each layer, from a dimer of the lightest element it knows."""
    symbol = chemical_symbols[min(backbone.species)]
    dimer = Atoms(f"{symbol}2", positions=[[0, 0, 0], [0, 0, 1.5]], cell=[12.0] * 3, pbc=True)
    with own_torch_settings(), torch.inference_mode():
        layers = backbone.forward(backbone.graph([dimer])).layers
    return {layer: features.shape[1] for layer, features in layers.items()}


def _ranges(species: list[int]) -> str:
    """Elements as symbols, runs of them shortened: H-Pu."""
    runs: list[list[int]] = []
    for z in species:
        if runs and z == runs[-1][-1] + 1:
            runs[-1].append(z)
        else:
            runs.append([z])
    ends = ((chemical_symbols[run[0]], chemical_symbols[run[-1]]) for run in runs)
    return ", ".join(one if one == other else f"{one}-{other}" for one, other in ends)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m mekrr.backbones", description=__doc__)
    parser.add_argument("--registry", help="YAML file (default: config/backbones.yaml, if there)")
    print_all(parser.parse_args().registry)


def print_all(registry: str | None) -> None:
    """Print what `describe` says of every backbone known."""
    warnings.simplefilter("ignore")
    for name, entry in registered(registry).items():
        print("\n".join(describe(name, entry)), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
