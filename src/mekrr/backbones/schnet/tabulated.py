"""Functions of a distance, tabulated so that a look-up takes the place of a network."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

import torch
from torch.nn.functional import embedding_bag

from mekrr.errors import BackboneError

log = logging.getLogger(__name__)

INTERVALS = [2**k for k in range(7, 16)]  # tried in turn


class HermiteTable(torch.nn.Module):
    """Cubic Hermite interpolants of several vector functions of a distance.

    With knots d_k = k s and t = (d - d_k) / s between two of them,

        f(d) ≈ (1 + 2t)(1 - t)² f_k + t (1 - t)² s f'_k
             + t² (3 - 2t) f_{k+1} + t² (t - 1) s f'_{k+1}.

    The error, to leading order t² (1 - t)² s⁴ f'''' / 24, is largest halfway between
    knots. There the interpolants are compared with the functions, for more and more knots,
    until each component errs by no more than ``tolerance`` of its largest value. They are
    once continuously differentiable, and autograd yields their own derivative.

    Parameters
    ----------
    functions : maps distances (n,) in Å, float64, to one (n, d) tensor per function, by
        operations that can be differentiated twice; a row depends on its own distance alone.
    cutoff : largest distance, Å.
    tolerance : largest error, relative to the largest value of each component.
    name : what the log and an error call the functions.

    Attributes
    ----------
    intervals : number of intervals between knots.
    error : largest relative error found halfway between knots.
    rows : (n_functions, 2 intervals + 2, d), f_k and s f'_k in turn; float64 until the
        module is converted.

    Raises
    ------
    BackboneError
        If even the finest grid does not reach ``tolerance``.
    """

    def __init__(
        self,
        functions: Callable[[torch.Tensor], Iterable[torch.Tensor]],
        cutoff: float,
        tolerance: float,
        name: str,
    ):
        super().__init__()
        self.cutoff = cutoff
        self.register_buffer("rows", None, persistent=False)

        def stacked(distance: torch.Tensor) -> torch.Tensor:
            return torch.stack(tuple(functions(distance)))

        for self.intervals in INTERVALS:
            step = cutoff / self.intervals
            knots = step * torch.arange(self.intervals + 1, dtype=torch.float64)
            values, slopes = _with_slopes(stacked, knots)
            self.rows = torch.stack([values, step * slopes], dim=2).flatten(1, 2)
            halfway = knots[:-1] + step / 2
            error = (torch.stack(tuple(self(halfway))) - stacked(halfway)).abs().amax(dim=1)
            scale = values.abs().amax(dim=1).clamp_min(torch.finfo(values.dtype).tiny)
            self.error = float((error / scale).max())
            if self.error <= tolerance:
                break
        else:
            raise BackboneError(
                f"{name}: filters on {self.intervals} intervals still err by {self.error:.1e}, "
                f"not {tolerance:.0e}; use exact ones (exact: true)"
            )
        log.info("%s: filters on %d intervals err by %.1e", name, self.intervals, self.error)

    def forward(self, distance: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield each function in turn at ``distance`` (n,), from 0 to ``cutoff``, Å: (n, d)."""
        # In float64: the position within an interval is a small part of the distance.
        scaled = distance.double() * (self.intervals / self.cutoff)
        knot = scaled.detach().long().clamp(max=self.intervals - 1)
        t = (scaled - knot).to(self.rows.dtype)
        weights = torch.stack(
            [(1 + 2 * t) * (1 - t) ** 2, t * (1 - t) ** 2, t**2 * (3 - 2 * t), t**2 * (t - 1)],
            dim=1,
        )
        index = 2 * knot[:, None] + torch.arange(4, device=knot.device)
        for rows in self.rows:
            # Gathers and adds in one pass, which is what makes the table fast.
            yield embedding_bag(index, rows, per_sample_weights=weights, mode="sum")


def _with_slopes(
    function: Callable[[torch.Tensor], torch.Tensor], distance: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Values of a function of distances (n,), and their derivatives, of the same shape.

    The derivative of a vector-Jacobian product in its vector: forward mode, torch.func.jvp, loads
    torch's compiler, and gradients of more than one number sympy, which take a second.
    """
    with torch.enable_grad():
        distance = distance.detach().requires_grad_()
        values = function(distance)
        vector = torch.zeros_like(values, requires_grad=True)
        (product,) = torch.autograd.grad((values * vector).sum(), distance, create_graph=True)
        (slopes,) = torch.autograd.grad(product.sum(), vector)
    return values.detach(), slopes
