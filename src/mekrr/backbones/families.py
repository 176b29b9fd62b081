"""Families of networks: each is a folder beside this file, found by looking.

A folder states in its ``FAMILY`` what others need to know of it, so that no list names it.
Nothing here imports a network's library: rules of a workflow and ``--help`` read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Literal

import mekrr.backbones
from mekrr.closed import Closed

FROM_SCRATCH = "mekrr.backbones.schnet.finetune:SchNetFromScratch"


class NoOptions(Closed):
    """A family without options."""


@dataclass(frozen=True)
class Family:
    """Where the code of a family is and what it needs; classes are named as ``module:class``.

    Attributes
    ----------
    adapter : class of its backbones, a `mekrr.backbones.base.Backbone`.
    network : class of its networks that are fine-tuned, a `mekrr.backbones.network.Network`;
        None if none can be.
    weights : whether a backbone needs a file of weights, may have one in place of
        ``options.model``, or takes none.
    options : model of the settings of its adapter, beside the weights.
    extra : extra of this package that installs the family's library; None if it needs no more
        than this package itself, or cannot be installed beside it.
    environment : name of the environment that it runs in.
    energy : whether its backbones have an energy of their own.
    """

    adapter: str
    network: str | None = None
    weights: Literal["needed", "optional", "none"] = "none"
    options: type[Closed] = NoOptions
    extra: str | None = None
    environment: str = "mekrr"
    energy: bool = True


@cache
def families() -> dict[str, Family]:
    """Return every family by its name, that of its folder."""
    return {
        folder.name: import_module(f"mekrr.backbones.{folder.name}").FAMILY
        for folder in iter_modules(mekrr.backbones.__path__)
        if folder.ispkg
    }


def module_of(reference: str) -> str:
    """Return the module in ``module:class``."""
    return reference.partition(":")[0]
