"""Continuous-filter convolutions that are trained: sums over neighbours, filters within.

m_i = Σ_j x_j ⊙ W(d_ij), with filters W interpolated between values at knots, see
`mekrr.backbones.radial`. Learning energies needs derivatives in x and the values, at positions
that are fixed; learning forces needs derivatives of slopes: in the distances first, in x and the
values then. On a CPU each is one pass over the edges (`mekrr.backbones.schnet.loops`); on a
GPU, filters stand in memory and torch differentiates what becomes of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from mekrr.backbones.compiled import array
from mekrr.backbones.graph import AtomGraph
from mekrr.backbones.radial import Interpolation, Radial
from mekrr.backbones.rows import add_up, gather, grouping
from mekrr.backbones.sparse import State

Convolution = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def convolution(radial: Radial, graph: AtomGraph) -> Convolution:
    """Return what sums up over the neighbours of each atom of a graph.

    It maps filters' values at the knots (n_knots, d) and x (n_atoms, d) to sums (n_atoms, d). Their
    slopes in the positions can be differentiated in x and values, but not in positions again.

    Parameters
    ----------
    radial : the knots.
    graph : differentiable in its positions.
    """
    return InLoops(radial, graph) if graph.positions.is_cpu else InMemory(radial, graph)


def fixed_convolution(radial: Radial, state: State) -> Convolution:
    """Return what sums up over the neighbours of each atom, whose positions are fixed.

    As `convolution`; differentiable once, in values and x.

    Parameters
    ----------
    radial : the knots.
    state : ``frame`` of each atom, with what `Radial.edge_state` returns.
    """
    return FixedInLoops(state) if state["weight"].is_cpu else FixedInMemory(radial, state)


class Neighbours:
    """Sums over neighbours, of filters that stand in memory.

    Parameters
    ----------
    centre, neighbour : (n_edges,) atoms at the two ends of each edge.
    """

    def __init__(self, centre: torch.Tensor, neighbour: torch.Tensor, n_atoms: int):
        self._edges = grouping("centre", centre, n_atoms)
        self._edges |= grouping("neighbour", neighbour, n_atoms)

    def sums(self, filters: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return sums (n_atoms, d) of x (n_atoms, d) times filters (n_edges, d)."""
        return add_up(self._edges, "centre", gather(self._edges, "neighbour", x) * filters)


class InMemory:
    """A `convolution` of filters that stand in memory."""

    _filters: Callable[[torch.Tensor], torch.Tensor]  # of each edge, from their values at the knots

    def __init__(self, radial: Radial, graph: AtomGraph):
        self._neighbours = Neighbours(graph.centre, graph.neighbour, len(graph.species))
        self._filters = Interpolation(radial, graph.edge_vectors().norm(dim=1))

    def __call__(self, values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return self._neighbours.sums(self._filters(values), x)


class FixedInMemory(InMemory):
    """A `fixed_convolution` of filters that stand in memory."""

    def __init__(self, radial: Radial, state: State):
        self._neighbours = Neighbours(state["centre"], state["neighbour"], len(state["frame"]))
        self._filters = radial.fixed_in_matrix(state)


class InLoops:
    """A `convolution` by compiled loops."""

    def __init__(self, radial: Radial, graph: AtomGraph):
        self._distance = graph.edge_vectors().norm(dim=1)
        parts = radial.weights(self._distance.detach())
        ends = graph.centre.int(), graph.neighbour.int()
        self._edges = _Edges(*(part.numpy() for part in (*ends, *parts)))

    def __call__(self, values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        # What the sums owe to values is a branch of its own: a pass for forces leaves it out.
        of_values = _ByValues.apply(values, x.detach(), self._edges)
        return _Sums.apply(x, values, self._distance, self._edges) + of_values


class FixedInLoops:
    """A `fixed_convolution` by compiled loops."""

    def __init__(self, state: State):
        names = ("centre", "neighbour", "knot", "weight")
        self._edges = tuple(state[name].numpy() for name in names)

    def __call__(self, values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return _FixedSums.apply(values, x, self._edges)


class _Edges(NamedTuple):
    """Edges as loops want them: both ends and the first knot, (n,), with `Radial.weights`."""

    centre: np.ndarray
    neighbour: np.ndarray
    knot: np.ndarray
    weight: np.ndarray
    slope: np.ndarray


class _Sums(torch.autograd.Function):
    """The sums; derivatives by ``values`` are those of `_ByValues`."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, values: torch.Tensor, distance: torch.Tensor, edges: _Edges
    ) -> torch.Tensor:
        ctx.save_for_backward(x, values)
        ctx.edges, ctx.dtype = edges, distance.dtype
        return _sums(x, values, *edges[:4])

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        of_x, of_distance = _Derivatives.apply(upstream, *ctx.saved_tensors, ctx.edges)
        return of_x, None, of_distance.to(ctx.dtype), None


class _Derivatives(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, upstream: torch.Tensor, x: torch.Tensor, values: torch.Tensor, edges: _Edges
    ) -> tuple[torch.Tensor, torch.Tensor]:
        from mekrr.backbones.schnet import loops

        ctx.save_for_backward(upstream, x, values)
        ctx.edges = edges
        of_x, of_distance = torch.zeros_like(x), x.new_zeros(len(edges.centre))
        arrays = map(array, (upstream, x, values))
        loops.derivatives(*arrays, *edges, of_x.numpy(), of_distance.numpy())
        return of_x, of_distance

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, by_x: torch.Tensor, by_distance: torch.Tensor
    ) -> tuple[torch.Tensor | None, ...]:
        from mekrr.backbones.schnet import loops

        found = [torch.zeros_like(tensor) for tensor in ctx.saved_tensors]
        arrays = map(array, (by_x, by_distance, *ctx.saved_tensors))
        loops.second_derivatives(*arrays, *ctx.edges, *(part.numpy() for part in found))
        return *found, None


class _ByValues(torch.autograd.Function):
    """Zeros, with the derivatives by ``values`` that the sums have."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, x: torch.Tensor, edges: _Edges) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.edges, ctx.n_knots = edges, len(values)
        return torch.zeros_like(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return _by_values(upstream, *ctx.saved_tensors, ctx.n_knots, *ctx.edges[:4]), None, None


class _FixedSums(torch.autograd.Function):
    """The sums at fixed positions."""

    @staticmethod
    def forward(
        ctx: Any, values: torch.Tensor, x: torch.Tensor, edges: tuple[np.ndarray, ...]
    ) -> torch.Tensor:
        ctx.save_for_backward(values, x)
        ctx.edges = edges
        return _sums(x, values, *edges)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        values, x = ctx.saved_tensors
        centre, neighbour, *place = ctx.edges
        # Two passes over the edges: one that does both takes longer.
        of_x = _sums(upstream, values, neighbour, centre, *place)
        return _by_values(upstream, x, len(values), *ctx.edges), of_x, None


def _sums(x: torch.Tensor, values: torch.Tensor, *edges: np.ndarray) -> torch.Tensor:
    """Return the sums; ``edges`` are centres, neighbours, first knots and weights."""
    from mekrr.backbones.schnet import loops  # compiled when first used

    out = torch.zeros_like(x)
    loops.sums(array(x), array(values), *edges, out.numpy())
    return out


def _by_values(
    upstream: torch.Tensor, x: torch.Tensor, n_knots: int, *edges: np.ndarray
) -> torch.Tensor:
    """Return the derivatives of `_sums` by values at the knots, (n_knots, d)."""
    from mekrr.backbones.schnet import loops

    out = x.new_zeros(n_knots, x.shape[1])
    loops.derivatives_by_values(array(upstream), array(x), *edges, out.numpy())
    return out
