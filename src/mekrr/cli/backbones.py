"""`mekrr backbones`: the networks known by name, and whether they can be used."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mekrr.cli.arguments import Commands, registry
from mekrr.errors import BackboneError, first_line, printable

if TYPE_CHECKING:
    from mekrr.backbones.base import Backbone
    from mekrr.backbones.entry import BackboneEntry

SHOWN = ("title", "family", "training_data", "licence", "reference")


def add_command(commands: Commands) -> None:
    """Add the command to the parser's subparsers."""
    command = commands.add_parser(
        "backbones", parents=[registry()], help="list the networks, and whether they can be used"
    )
    command.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Print what `describe` says of every backbone known."""
    from mekrr.backbones.registry import registered

    warnings.simplefilter("ignore")
    for name, entry in registered(options.registry).items():
        print("\n".join(describe(name, entry)), end="\n\n", flush=True)


def describe(name: str, entry: BackboneEntry) -> list[str]:
    """Return lines on an entry of the registry: what it is, what its weights turn out to be."""
    weights, backbone = weights_of(name, entry)
    lines = [name, *(f"  {key}: {told}" for key, told in entry.given(*SHOWN).items())]
    lines.append(f"  weights: {weights}")
    if backbone is None:
        return lines
    if backbone.provenance:
        lines += _told(backbone.provenance)
    widths = ", ".join(f"{layer}: {width}" for layer, width in widths_of(backbone).items())
    return [
        *lines,
        f"  layers and widths: {widths}; fitted: {', '.join(map(str, entry.layers))}",
        f"  energy: {'yes' if backbone.has_energy else 'no'}",
        f"  elements: {_ranges(sorted(backbone.species))}",
    ]


def weights_of(name: str, entry: BackboneEntry) -> tuple[str, Backbone | None]:
    """Return where the weights of an entry are, or why not, and the backbone if it can be used.

    Weights of gigabytes that a library would download are not asked for.
    """
    from mekrr.backbones.load import load_backbone

    weights = entry.weights
    path = weights.file if weights else None
    if weights and not Path(weights.file).is_file():
        missing = "mekrr, to be installed anew" if weights.packaged else "a file of yours"
        source = weights.download.url if weights.download else missing
        return f"absent ({path}, from {source})", None
    model = entry.options.get("model")
    if model is not None:
        return f"{model}, fetched by its library when first used", None
    try:
        backbone = load_backbone(name, entry.family, entry.options, path)
    except BackboneError as error:
        return f"not usable ({first_line(error)})", None
    if backbone.weights_sha256 == "none":
        return "none needed", backbone
    place = "inside a package" if weights is None or weights.packaged else path
    return f"{place}, sha256 {backbone.weights_sha256}", backbone


def widths_of(backbone: Backbone) -> dict[int, int]:
    """Return the number of features of each layer, from a dimer of the lightest element known."""
    import torch
    from ase import Atoms

    from mekrr.torch_settings import own_torch_settings

    number = min(backbone.species)
    dimer = Atoms([number] * 2, positions=[[0, 0, 0], [0, 0, 1.5]], cell=[12.0] * 3, pbc=True)
    with own_torch_settings(), torch.inference_mode():
        layers = backbone.forward(backbone.graph([dimer])).layers
    return {layer: features.shape[1] for layer, features in layers.items()}


def _told(provenance: Mapping[str, Any]) -> list[str]:
    """Return lines on what a file of weights says of its making."""
    import yaml

    text = yaml.safe_dump(dict(provenance), allow_unicode=True, sort_keys=False, width=90)
    return ["  provenance:", *(f"    {printable(line)}" for line in text.splitlines())]


def _ranges(species: list[int]) -> str:
    """Return elements as symbols, runs of them shortened: H-Pu."""
    from ase.data import chemical_symbols

    runs: list[list[int]] = []
    for z in species:
        if runs and z == runs[-1][-1] + 1:
            runs[-1].append(z)
        else:
            runs.append([z])
    ends = ((chemical_symbols[run[0]], chemical_symbols[run[-1]]) for run in runs)
    return ", ".join(one if one == other else f"{one}-{other}" for one, other in ends)
