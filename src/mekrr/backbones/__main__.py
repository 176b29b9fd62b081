"""List the registered backbones: `python -m mekrr.backbones [registry.yaml ...]`."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
import yaml
from ase import Atoms
from ase.data import chemical_symbols

from mekrr.backbones import load_backbone
from mekrr.backbones.base import Backbone
from mekrr.config import download_key
from mekrr.errors import BackboneError, first_line

SHOWN = ("title", "family", "training_data", "licence", "reference")


def describe(name: str, entry: Mapping) -> list[str]:
    """Lines on one entry of the registry: what it is, and what its weights turn out to be."""
    lines = [f"{name}", *(f"  {key}: {entry[key]}" for key in SHOWN if key in entry)]
    weights = entry.get("weights", {})
    path = _weights_path(weights)
    if path is not None and not path.is_file():
        source = weights.get("download", {}).get("url", "a file of yours")
        return [*lines, f"  weights: absent ({path}, from {source})"]
    try:
        backbone = load_backbone(name, entry["family"], entry.get("options"), path)
    except BackboneError as error:
        return [*lines, f"  weights: not usable ({first_line(error)})"]
    widths = ", ".join(f"{layer}: {width}" for layer, width in widths_of(backbone).items())
    return [
        *lines,
        f"  weights: {path or 'inside a package'}, sha256 {backbone.weights_sha256}",
        f"  layers and widths: {widths}; fitted: {', '.join(map(str, entry['layers']))}",
        f"  energy: {'yes' if backbone.has_energy else 'no'}",
        f"  elements: {_ranges(sorted(backbone.species))}",
    ]


def widths_of(backbone: Backbone) -> dict[int, int]:
    """Number of features of each layer, from a dimer of the lightest element it knows."""
    symbol = chemical_symbols[min(backbone.species)]
    dimer = Atoms(f"{symbol}2", positions=[[0, 0, 0], [0, 0, 1.5]], cell=[12.0] * 3, pbc=True)
    with torch.inference_mode():
        layers = backbone.forward(backbone.graph([dimer])).layers
    return {layer: features.shape[1] for layer, features in layers.items()}


def _weights_path(weights: Mapping) -> Path | None:
    if "download" in weights:
        download = weights["download"]
        return Path("results/downloads", download_key(download), download["file"])
    return Path(weights["path"]) if weights else None


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
    parser.add_argument(
        "registries",
        nargs="*",
        default=["config/backbones.yaml"],
        help="YAML files with a key `backbones` (default: %(default)s)",
    )
    warnings.simplefilter("ignore")
    for registry in parser.parse_args().registries:
        entries = yaml.safe_load(Path(registry).read_text(encoding="utf-8"))["backbones"]
        for name, entry in entries.items():
            print("\n".join(describe(name, entry)), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
