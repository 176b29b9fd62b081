"""Features out of a network's own forward pass, which is left once nothing more is wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.utils.hooks import RemovableHandle

# Hooks onto a network what keeps the features of a layer.
Source = Callable[[Callable[[torch.Tensor], None]], RemovableHandle]


class _Done(Exception):
    """All that is wanted has been computed."""


def output_of(module: torch.nn.Module, features: Callable[[Any], torch.Tensor]) -> Source:
    """Take features out of what ``module`` returns."""
    return lambda keep: module.register_forward_hook(lambda _m, _in, out: keep(features(out)))


def input_of(module: torch.nn.Module, features: Callable[[Any], torch.Tensor]) -> Source:
    """Take features out of the first argument of ``module``."""
    return lambda keep: module.register_forward_pre_hook(
        lambda _m, inputs: keep(features(inputs[0]))
    )


@contextmanager
def recorded(
    sources: Mapping[int, Source], layers: Collection[int] | None, energy: bool
) -> Iterator[dict[int, torch.Tensor]]:
    """Record features of the layers wanted while a block runs the network.

    Parameters
    ----------
    sources : where the features of each layer are had, in the order in which they come.
    layers : those wanted; None for all.
    energy : whether the energy is wanted. Without it the block is left after the deepest layer.
    """
    wanted = [layer for layer in sources if layers is None or layer in layers]
    found: dict[int, torch.Tensor] = {}

    def keep(layer: int, features: torch.Tensor) -> None:
        found[layer] = features
        if not energy and layer == wanted[-1]:
            raise _Done

    hooks = [sources[layer](partial(keep, layer)) for layer in wanted]
    try:
        yield found
    except _Done:
        pass
    finally:
        for hook in hooks:
            hook.remove()
