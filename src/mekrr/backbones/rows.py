"""Rows gathered by an index and added up by it: what message passing is made of.

Each is the gradient of the other, as often as wanted. Adding up the rows of each group one after
the other, as `embedding_bag` does, is faster on a CPU than index_add, which torch's own gradient
of index_select calls as well: `python -m benchmarks.training` times both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.functional import embedding_bag


def grouping(name: str, index: torch.Tensor, n_groups: int) -> dict[str, torch.Tensor]:
    """Return what `gather` and `add_up` want to know of an index (n_rows,) of groups, as int32.

    The index itself, the rows sorted by it, and where in these each group begins.
    """
    order = torch.argsort(index, stable=True)
    groups = torch.arange(n_groups, device=index.device, dtype=index.dtype)
    begin = torch.searchsorted(index[order].contiguous(), groups)
    return {name: index.int(), f"{name}_order": order.int(), f"{name}_begin": begin.int()}


def grouping_indices(name: str, groups: str) -> dict[str, str]:
    """Return what the tensors of `grouping` number, for `mekrr.models.network.states.collate`.

    ``groups`` is a tensor of a state that has a row for each group.
    """
    return {name: groups, f"{name}_order": name, f"{name}_begin": f"{name}_order"}


def gather(state: Mapping[str, torch.Tensor], name: str, x: torch.Tensor) -> torch.Tensor:
    """Return the row of x (n_groups, d) of each entry of the index, (n_rows, d)."""
    return _Gather.apply(x, state[name], state[f"{name}_order"], state[f"{name}_begin"])


def add_up(state: Mapping[str, torch.Tensor], name: str, rows: torch.Tensor) -> torch.Tensor:
    """Add up rows (n_rows, d) over each group, (n_groups, d); 0 where a group has none."""
    return _AddUp.apply(rows, state[name], state[f"{name}_order"], state[f"{name}_begin"])


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, *entries: torch.Tensor) -> torch.Tensor:
        index, order, begin = entries
        ctx.save_for_backward(index, order, begin)
        return x.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return _AddUp.apply(upstream, *ctx.saved_tensors), None, None, None


class _AddUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, *entries: torch.Tensor) -> torch.Tensor:
        index, order, begin = entries
        ctx.save_for_backward(index, order, begin)
        return embedding_bag(order, rows.contiguous(), begin, mode="sum")

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return _Gather.apply(upstream, *ctx.saved_tensors), None, None, None
