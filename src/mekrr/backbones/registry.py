"""Backbones by name: those whose weights are inside packages, and those of a registry file."""

from __future__ import annotations

import os
from collections.abc import Mapping
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


def registered(registry: str | os.PathLike | None = None) -> dict[str, dict]:
    """Return the backbones known by name: those inside packages, and those of a registry.

    Parameters
    ----------
    registry : YAML file of the form of `PACKAGED`, whose entries come first; None for none.

    Returns
    -------
    dict from name to entry: ``family``, ``layers`` to choose from and, where they apply,
    ``options``, ``weights`` and what is told of it.

    Raises
    ------
    ConfigError
        If the file is missing or not of that form, or a path in it names a variable that is
        not set.
    """
    return _read(PACKAGED) | ({} if registry is None else _read(Path(registry)))


def _read(path: Path) -> dict[str, dict]:
    """Read the entries of one file."""
    content = read_yaml(path)
    try:
        RegistryFile.model_validate(content)
    except ValidationError as error:
        raise ConfigError(
            f"{path}: is no registry of backbones, which has a key `backbones`, and for each of "
            f"them `family` and `layers`: {first_fault(error)}; correct it"
        ) from error
    for name, entry in content["backbones"].items():
        weights = entry.get("weights", {})
        if "path" in weights:
            key = f"{path}: backbones.{name}.weights.path"
            weights["path"] = expanded(weights["path"], key)
    return content["backbones"]


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
    options = entry.get("options", {})
    weights = weights_path(entry.get("weights", {}))
    backbone = load_backbone(name, entry["family"], options, weights)
    identity = {
        "name": name,
        "family": entry["family"],
        "options": options,
        "weights_sha256": backbone.weights_sha256,
    }
    return backbone, entry["layers"], identity


def weights_path(weights: Mapping) -> Path | None:
    """Return where the file of an entry's ``weights`` is or belongs; None without one."""
    return Path(Weights.model_validate(weights).file) if weights else None
