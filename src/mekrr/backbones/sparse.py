"""Sums of weighted rows, with sums that are known beforehand: what message passing is made of.

A product P X with a sparse P that no training changes, such as distances between atoms make.
Gathering and adding in one pass, as `embedding_bag` does, is some ten times faster on a CPU
than index_select and index_add, and so is the backward pass, which is the same operation
with the transpose of P.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import embedding_bag

State = dict[str, torch.Tensor]


def sparse_state(
    name: str, row: torch.Tensor, column: torch.Tensor, weight: torch.Tensor, shape: tuple[int, int]
) -> State:
    """Return entries of P (n_rows, n_columns) and of its transpose, as `sparse_product` wants them.

    Parameters
    ----------
    name : prefix of the tensors' names.
    row, column : (n,) indices of the entries, in any order; entries of the same place add up.
    weight : (n,) values of the entries.
    """
    state = {}
    for suffix, major, minor, size in (("", row, column, shape[0]), ("_t", column, row, shape[1])):
        order = torch.argsort(major, stable=True)
        rows = torch.arange(size, device=major.device)
        begin = torch.searchsorted(major[order].contiguous(), rows)
        state[f"{name}{suffix}_column"] = minor[order].int()
        state[f"{name}{suffix}_weight"] = weight[order].float()
        state[f"{name}{suffix}_begin"] = begin.int()
    return state


def sparse_product(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    """Return P x, (n_rows, d), for x (n_columns, d); differentiable as often as wanted."""
    return _SparseProduct.apply(x, *entries_of(state, name))


def transposed_product(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    """Return Pᵀ x, (n_columns, d), for x (n_rows, d)."""
    return _TransposedProduct.apply(x, *entries_of(state, name))


def entries_of(state: State, name: str) -> list[torch.Tensor]:
    """Return the tensors of P and of its transpose."""
    return [
        state[f"{name}{suffix}_{part}"]
        for suffix in ("", "_t")
        for part in ("column", "weight", "begin")
    ]


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, *entries: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(*entries)
        column, weight, begin, *_ = entries
        return embedding_bag(column, x, begin, per_sample_weights=weight, mode="sum")

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return _TransposedProduct.apply(upstream, *ctx.saved_tensors), *6 * (None,)


class _TransposedProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, *entries: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(*entries)
        *_, column, weight, begin = entries
        x = x.contiguous()
        return embedding_bag(column, x, begin, per_sample_weights=weight, mode="sum")

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return _SparseProduct.apply(upstream, *ctx.saved_tensors), *6 * (None,)
