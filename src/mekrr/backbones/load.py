"""Backbones, and networks that are trained, each opened by the code of its family."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from importlib import import_module

from mekrr.backbones.base import Backbone
from mekrr.backbones.families import FROM_SCRATCH, Family, families
from mekrr.backbones.network import Network
from mekrr.errors import BackboneError
from mekrr.packages import install_extra
from mekrr.torch_settings import own_torch_settings


@own_torch_settings()
def load_backbone(
    name: str,
    family: str,
    options: Mapping[str, object] | None = None,
    weights: str | os.PathLike | None = None,
    species: Sequence[str] | None = None,
) -> Backbone:
    """Open backbone ``name`` by the adapter of its ``family``, on the CPU.

    Parameters
    ----------
    options : settings of the adapter, beside its weights.
    weights : file of the weights, None if they are inside a package.
    species : symbols of all elements in the frames, for options that say ``species: all``.

    Raises
    ------
    BackboneError
        If the family or an option is unknown, its library is not installed, weights are
        missing or not taken, or the adapter refuses them.
    """
    make = _imported(_family(name, family).adapter, name, family)
    settings = dict(options or {}) | ({} if weights is None else {"weights": weights})
    if settings.get("species") == "all":
        if species is None:
            raise BackboneError(
                f"backbone {name!r}: species 'all' stands for those of a data set, which is not "
                "known here; list them"
            )
        settings["species"] = species
    known = inspect.signature(make).parameters
    for key in settings:
        if key not in known:
            taken = ", ".join(sorted(set(known) - {"name"})) or "none"
            raise BackboneError(
                f"backbone {name!r}: family {family!r} takes no {key!r}; it takes: {taken}"
            )
    for key, parameter in known.items():
        if parameter.default is inspect.Parameter.empty and key not in (*settings, "name"):
            raise BackboneError(
                f"backbone {name!r}: family {family!r} needs {key!r}; add it to the registry of "
                "backbones"
            )
    return make(name, **settings)


@own_torch_settings()
def load_network(
    name: str,
    entry: Mapping,
    backbone: Mapping | None = None,
    weights: str | os.PathLike | None = None,
    seed: int = 0,
) -> Network:
    """Make a network as it is before training, on the CPU.

    Parameters
    ----------
    entry : ``architecture`` of a network from scratch; else ``start``, the name of the backbone
        that it starts with, and ``frozen``, how many of its layers stay as they are.
    backbone : ``family`` and, where there are, ``options`` of that backbone, None if from scratch.
    weights : file of the backbone's weights, None if they are inside a package.
    seed : of random weights.

    Raises
    ------
    ConfigError
        If no layer is left to train.
    BackboneError
        If the family cannot be trained, its library is not installed, or the weights cannot
        be read.
    """
    if backbone is None:
        return _imported(FROM_SCRATCH, name, "schnet")(name, seed, **entry["architecture"])
    family = _family(entry["start"], backbone["family"])
    if family.network is None:
        trained = ", ".join(known for known, one in families().items() if one.network)
        raise BackboneError(
            f"network {name!r}: family {backbone['family']!r} of {entry['start']!r} cannot be "
            f"trained; those that can: {trained}"
        )
    options = backbone.get("options", {}) | ({} if weights is None else {"weights": weights})
    make = _imported(family.network, name, backbone["family"])
    return make(name, entry["start"], entry["frozen"], **options)


def _family(name: str, family: str) -> Family:
    """Return the family of backbone ``name``, or raise a BackboneError if there is none."""
    known = families()
    if family not in known:
        raise BackboneError(
            f"backbone {name!r}: unknown family {family!r}; known: {', '.join(sorted(known))}"
        )
    return known[family]


def _imported(reference: str, name: str, family: str) -> type:
    """Import ``module:class``, the code of one family, only now: its library takes seconds."""
    module, _, attribute = reference.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package == "mekrr":
            raise
        extra = families()[family].extra
        cure = f"pip install {package}" if extra is None else install_extra(extra)
        raise BackboneError(f"backbone {name!r} needs the package {package}; {cure}") from error
