"""Backbones by name: those whose weights are inside packages, and those of a registry file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    ValidationError,
    model_validator,
)

from mekrr.backbones import load_backbone
from mekrr.backbones.base import Backbone
from mekrr.errors import BackboneError, ConfigError, first_fault
from mekrr.sources import download_folder, expand_path
from mekrr.yaml_file import read_yaml

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


class _Closed(BaseModel):
    """Keys without default are required; the others may be absent, but not null."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Download(_Closed):
    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    file: Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] = None


class _Weights(_Closed):
    path: Annotated[str, Field(min_length=1)] = None
    download: _Download = None

    @model_validator(mode="after")
    def _one_of_both(self) -> _Weights:
        if (self.path is None) == (self.download is None):
            raise ValueError("give either `path` or `download`")
        return self


class _Entry(_Closed):
    """What a registry may say of a backbone; the workflow's schema is narrower."""

    family: str
    layers: Annotated[list[NonNegativeInt], Field(min_length=1)]
    options: dict[str, object] = {}
    weights: _Weights = None
    heatmap_layer: int = None
    title: str = None
    training_data: str = None
    licence: str = None
    reference: str = None


class _RegistryFile(BaseModel):
    backbones: dict[str, _Entry]


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
        If the file is missing or not of that form, or a path in it names a variable that is
        not set.
    """
    if registry is None and not REGISTRY.is_file():
        return PACKAGED
    path = Path(registry or REGISTRY)
    content = read_yaml(path)
    try:
        _RegistryFile.model_validate(content)
    except ValidationError as error:
        raise ConfigError(
            f"{path}: is no registry of backbones, which has a key `backbones`, and for each of "
            f"them `family` and `layers`: {first_fault(error)}; correct it"
        ) from error
    for name, entry in content["backbones"].items():
        expand_path(entry.get("weights", {}), f"{path}: backbones.{name}.weights")
    return PACKAGED | content["backbones"]


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
