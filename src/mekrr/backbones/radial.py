"""Functions of a distance by cubic convolution, so that a network is run at knots only.

A filter W(d) that training changes is evaluated at knots, some hundred of them, and for each
edge interpolated between four: W(d) ≈ Σ_k u(d / s - k) W(k s) with Keys' kernel u, which is
exact for quadratics and once continuously differentiable (Keys, IEEE Trans. Acoust. 29, 1153
(1981)). The weights u depend on positions alone: the interpolation is a sparse matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from mekrr.backbones.compiled import array
from mekrr.backbones.graph import AtomGraph
from mekrr.backbones.sparse import (
    State,
    sparse_product,
    sparse_state,
    transposed_product,
)
from mekrr.data.structure import SAME_PLACE


class Radial:
    """Knots from the least distance of two atoms to ``cutoff`` (Å), and one beyond either end.

    They are ``spacing`` (Å) apart or a little less.

    Attributes
    ----------
    knots : (n_knots,) float32, Å.
    """

    def __init__(self, cutoff: float, spacing: float):
        intervals = math.ceil((cutoff - SAME_PLACE) / spacing)
        self._step = (cutoff - SAME_PLACE) / intervals
        self.knots = SAME_PLACE + self._step * torch.arange(-1.0, intervals + 2)

    def weights(self, distance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return what interpolates at distances (n_edges,), float64, Å.

        The first of four knots (n_edges,), int32, their weights (n_edges, 4), float32, and the
        slopes of these in the distance, 1/Å.
        """
        knot, t = self._place(distance)
        weight = [
            (-t + 2 * t**2 - t**3) / 2,
            (2 - 5 * t**2 + 3 * t**3) / 2,
            (t + 4 * t**2 - 3 * t**3) / 2,
            (t**3 - t**2) / 2,
        ]
        slope = [
            (-1 + 4 * t - 3 * t**2) / 2,
            (-10 * t + 9 * t**2) / 2,
            (1 + 8 * t - 9 * t**2) / 2,
            (3 * t**2 - 2 * t) / 2,
        ]
        return (
            knot,
            torch.stack(weight, dim=1).float(),
            (torch.stack(slope, dim=1) / self._step).float(),
        )

    def _place(self, distance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """First of the four knots of each edge, and where between the middle two it is."""
        scaled = (distance - SAME_PLACE) / self._step
        knot = scaled.int().clamp(max=len(self.knots) - 4)
        return knot, scaled - knot

    def matrix(self, name: str, knot: torch.Tensor, weights: torch.Tensor) -> State:
        """Return the sparse matrix (n_edges, n_knots) of what `weights` returns."""
        row = torch.arange(len(knot), device=knot.device)
        column = knot[:, None] + torch.arange(4, device=knot.device)
        shape = len(knot), len(self.knots)
        return sparse_state(name, row.repeat_interleave(4), column.ravel(), weights.ravel(), shape)

    def edge_state(self, graph: AtomGraph) -> State:
        """Return both ends and the first knot of each edge, (n_edges,), and weights (n_edges, 4).

        What a network whose positions are fixed needs to know of them; `edge_indices` belongs to
        it.
        """
        knot, weight, _ = self.weights(graph.edge_vectors().norm(dim=1))
        return {
            "centre": graph.centre.int(),
            "neighbour": graph.neighbour.int(),
            "knot": knot,
            "weight": weight,
        }

    def fixed(self, state: State) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return what interpolates functions at the edges of an `edge_state`.

        It maps values at the knots (n_knots, d) to those of edges (n_edges, d), differentiable in
        these.
        """
        if not state["weight"].is_cpu:
            return self.fixed_in_matrix(state)
        place = state["knot"].numpy(), state["weight"].numpy()
        return lambda values: _InLoops.apply(values, place)

    def fixed_in_matrix(self, state: State) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the same as a sparse matrix, for a GPU."""
        matrix = self.matrix("fixed", state["knot"], state["weight"])
        return partial(sparse_product, matrix, "fixed")


def edge_indices(atoms: str) -> dict[str, str]:
    """Return what the tensors of an `edge_state` number, for the collation of states.

    ``atoms`` is a tensor of the state with a row for each atom.
    """
    return {"centre": atoms, "neighbour": atoms}


class _InLoops(torch.autograd.Function):
    """Interpolation by compiled loops; ``place`` are first knots and weights of edges."""

    @staticmethod
    def forward(
        ctx: Any, values: torch.Tensor, place: tuple[np.ndarray, np.ndarray]
    ) -> torch.Tensor:
        from mekrr.backbones import interpolation  # compiled when first used

        ctx.place, ctx.n_knots = place, len(values)
        out = values.new_empty(len(place[0]), values.shape[1])
        interpolation.interpolate(array(values), *place, out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None]:
        from mekrr.backbones import interpolation

        of_values = upstream.new_zeros(ctx.n_knots, upstream.shape[1])
        interpolation.spread(array(upstream), *ctx.place, of_values.numpy())
        return of_values, None


class Interpolation:
    """Functions that training changes, at distances that forces are derivatives in.

    Parameters
    ----------
    radial : the knots.
    distance : (n_edges,) float64, Å, differentiable.
    """

    def __init__(self, radial: Radial, distance: torch.Tensor):
        self._distance = distance
        fixed = distance.detach()
        knot, weight, slope = radial.weights(fixed)
        self._state = radial.matrix("value", knot, weight) | radial.matrix("slope", knot, slope)

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return functions (n_edges, d) from their values at the knots (n_knots, d).

        Slopes in the distance can be differentiated in ``values``, as learning forces does, but not
        in the distance again.
        """
        return _Interpolated.apply(values, self._distance, self._state)


class _Interpolated(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: torch.Tensor, distance: torch.Tensor, state: State
    ) -> torch.Tensor:
        ctx.state = state
        ctx.save_for_backward(values)
        ctx.dtype = distance.dtype
        return sparse_product(state, "value", values)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (values,) = ctx.saved_tensors
        of_values = of_distance = None
        if ctx.needs_input_grad[0]:
            of_values = transposed_product(ctx.state, "value", upstream)
        if ctx.needs_input_grad[1]:
            slopes = sparse_product(ctx.state, "slope", values)
            of_distance = (upstream * slopes).sum(dim=1).to(ctx.dtype)
        return of_values, of_distance, None
