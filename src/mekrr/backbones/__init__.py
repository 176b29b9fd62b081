"""Pre-trained networks behind one contract, one adapter per model family."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mekrr.backbones.imports import import_adapter
from mekrr.errors import BackboneError

if TYPE_CHECKING:
    from mekrr.backbones.base import Backbone

# Imported on demand: each family's library takes seconds to import.
ADAPTERS = {
    "analytic": ("mekrr.backbones.analytic", "AnalyticBackbone"),
    "chgnet": ("mekrr.backbones.chgnet.adapter", "CHGNetBackbone"),
    "diep": ("mekrr.backbones.diep", "DIEP"),
    "fairchem": ("mekrr.backbones.fairchem", "FairChem"),
    "mace": ("mekrr.backbones.mace", "MACE"),
    "schnet": ("mekrr.backbones.schnet.adapter", "SchNet"),
    "sevennet": ("mekrr.backbones.sevennet.adapter", "SevenNet"),
    "soap": ("mekrr.backbones.soap", "SOAP"),
}


def load_backbone(
    name: str,
    family: str,
    options: Mapping[str, object] | None = None,
    weights: str | os.PathLike | None = None,
    species: Sequence[str] | None = None,
) -> Backbone:
    """Backbone ``name`` through the adapter of its ``family``, on the CPU.

    Parameters
    ----------
    options : settings of the adapter, beside its weights.
    weights : file of the weights, None if they are inside a package.
    species : symbols in the data set, for options that say ``species: all``.

    Raises
    ------
    BackboneError
        If the family or an option is unknown, weights are missing or not taken, or the
        adapter refuses them.
    """
    if family not in ADAPTERS:
        raise BackboneError(
            f"backbone {name!r}: unknown family {family!r}; known: {', '.join(sorted(ADAPTERS))}"
        )
    from mekrr.torch_settings import own_torch_settings  # with torch, which takes a second

    with own_torch_settings():
        return _made(name, family, dict(options or {}), weights, species)


def _made(
    name: str,
    family: str,
    settings: dict[str, object],
    weights: str | os.PathLike | None,
    species: Sequence[str] | None,
) -> Backbone:
    """Return the backbone of `load_backbone`, whose family is known."""
    make = import_adapter(*ADAPTERS[family])
    if weights is not None:
        settings["weights"] = weights
    if settings.get("species") == "all":
        if species is None:
            raise BackboneError(
                f"backbone {name!r}: species: all means those of a data set in the workflow; "
                "list them here"
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
