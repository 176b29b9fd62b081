"""Backbones by name: those whose weights are inside packages, and those of a registry file."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ValidationError

from mekrr.backbones.base import Backbone
from mekrr.backbones.entry import BackboneEntry, Weights
from mekrr.backbones.load import load_backbone
from mekrr.errors import BackboneError, ConfigError, first_fault
from mekrr.paths import expanded
from mekrr.yaml_file import read_yaml

PACKAGED = Path(__file__).with_name("backbones.yaml")  # their weights are inside packages


class RegistryFile(BaseModel):
    """A file with a registry, which may hold other things."""

    backbones: dict[str, BackboneEntry]


def registered(registry: str | os.PathLike | None = None) -> dict[str, BackboneEntry]:
    """Return the backbones known by name: those inside packages, and those of a registry.

    Parameters
    ----------
    registry : YAML file of the form of `PACKAGED`, whose entries come first; None for none.

    Raises
    ------
    ConfigError
        If the file is missing or not of that form, or a path in it names a variable that is
        not set.
    """
    return _read(PACKAGED) | ({} if registry is None else _read(Path(registry)))


def _read(path: Path) -> dict[str, BackboneEntry]:
    """Read the entries of one file."""
    content = read_yaml(path)
    try:
        found = RegistryFile.model_validate(content).backbones
    except ValidationError as error:
        raise ConfigError(
            f"{path}: is no registry of backbones, which has a key `backbones`, and for each of "
            f"them `family` and `layers`: {first_fault(error)}; correct it"
        ) from error
    return {name: _expanded(entry, f"{path}: backbones.{name}") for name, entry in found.items()}


def _expanded(entry: BackboneEntry, key: str) -> BackboneEntry:
    """The entry with the path of its weights as it is meant."""
    if entry.weights is None or entry.weights.path is None:
        return entry
    path = expanded(entry.weights.path, f"{key}.weights.path")
    return entry.model_copy(update={"weights": Weights.model_validate({"path": path})})


def open_backbone(
    name: str, registry: str | os.PathLike | None = None
) -> tuple[Backbone, list[int], dict[str, object]]:
    """Open a backbone by its name; return it, the layers to choose from and what identifies it.

    Raises a BackboneError if the name is not known, or the errors of `load_backbone`.
    """
    entries = registered(registry)
    if name not in entries:
        raise BackboneError(
            f"unknown backbone {name!r}; known: {', '.join(entries)}; name a file with others as "
            "`registry`"
        )
    entry = entries[name]
    weights = entry.weights.file if entry.weights else None
    backbone = load_backbone(name, entry.family, entry.options, weights)
    identity: dict[str, object] = {
        "name": name,
        "family": entry.family,
        "options": entry.options,
        "weights_sha256": backbone.weights_sha256,
    }
    return backbone, entry.layers, identity
