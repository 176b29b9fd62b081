"""Backbones by name: those whose weights are inside packages, and those of a registry file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import yaml

from mekrr.backbones import load_backbone
from mekrr.backbones.base import Backbone
from mekrr.config import download_folder
from mekrr.errors import BackboneError, ConfigError

REGISTRY = Path("config/backbones.yaml")  # of a checkout in which one works
# Their weights are inside packages: known without a registry.
PACKAGED = {
    "sevennet-0": {"family": "sevennet", "layers": [1, 2, 4]},
    "sevennet-l3i5": {
        "family": "sevennet",
        "options": {"checkpoint": "7net-l3i5"},
        "layers": [1, 2, 4],
    },
    "chgnet-0.3.0": {"family": "chgnet", "layers": [2, 3, 4]},
    "diep": {"family": "diep", "layers": [1, 2, 3]},
}


def registered(registry: str | os.PathLike | None = None) -> dict[str, dict]:
    """Backbones known by name: those whose weights are in packages, and those of a registry.

    Parameters
    ----------
    registry : YAML file of the form of config/backbones.yaml; None for that file itself, if
        the current directory has it.

    Returns
    -------
    dict from name to entry: ``family``, ``layers`` to choose from and, where they apply,
    ``options`` and ``weights``.

    Raises
    ------
    ConfigError
        If the file is missing or not of that form.
    """
    if registry is None and not REGISTRY.is_file():
        return PACKAGED
    path = Path(registry or REGISTRY)
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))["backbones"]
        complete = all({"family", "layers"} <= entry.keys() for entry in entries.values())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); correct its path") from error
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        complete = False
    if not complete:
        raise ConfigError(
            f"{path}: is no registry of backbones; it needs a key `backbones`, and for each of "
            "them `family` and `layers`"
        )
    return PACKAGED | entries


def open_backbone(
    name: str, registry: str | os.PathLike | None = None
) -> tuple[Backbone, list[int], dict[str, object]]:
    """A backbone by its name, the layers to choose from, and what identifies it.

    Raises a BackboneError if the name is not known, or the errors of `load_backbone`.
    """
    entries = registered(registry)
    if name not in entries:
        raise BackboneError(
            f"unknown backbone {name!r}; known: {', '.join(entries)}; others must be in a registry "
            "(registry=FILE, --registry FILE)"
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
    """Where the file of a registry entry's ``weights`` is or belongs; None without one."""
    if "download" in weights:
        download = weights["download"]
        return Path(download_folder(download), download["file"])
    return Path(weights["path"]) if weights else None
