"""Features of frozen layers, whose slopes can be differentiated in what is trained after them.

Forces come from the slopes Jᵀ g of an energy: J = dh/dr of features h in the vectors r of edges,
which stays as it is, g = dE/dh, which is trained. A loss of forces whose gradient in these slopes
is v asks for J v alone, the derivative of the features along v, which is a central difference. So
frozen layers are run forward thrice and backward once, and never differentiated twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

STEP = 0.005  # Å, of the vector that moves farthest; as for directions of features

Features = Callable[[torch.Tensor], torch.Tensor]


def frozen_features(vectors: torch.Tensor, features: Features) -> torch.Tensor:
    """Return ``features(vectors)``, to be differentiated in vectors and then in weights after it.

    Parameters
    ----------
    vectors : (n_edges, 3) float64, Å. What multiplies their slopes may be differentiated, they
        themselves once.
    features : without weights that are trained; differentiable once.
    """
    found: torch.Tensor = _Features.apply(vectors, features)
    return found


class _Features(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: torch.Tensor, features: Features) -> torch.Tensor:
        with torch.enable_grad():
            at = vectors.detach().requires_grad_()
            found = features(at)

        def slopes(upstream: torch.Tensor) -> torch.Tensor:
            return torch.autograd.grad(found, at, upstream, retain_graph=True)[0]

        # As a function, and no tensors: autograd is not to follow them.
        ctx.slopes, ctx.at, ctx.features = slopes, at.detach(), features
        return found.detach()

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _Slopes.apply(upstream, ctx.slopes, ctx.at, ctx.features), None


class _Slopes(torch.autograd.Function):
    """Jᵀ g, linear in g."""

    @staticmethod
    def forward(
        ctx: Any, upstream: torch.Tensor, slopes: Features, at: torch.Tensor, features: Features
    ) -> torch.Tensor:
        ctx.at, ctx.features = at, features
        return slopes(upstream)

    @staticmethod
    def backward(ctx: Any, along: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        longest = along.norm(dim=1).max().clamp(min=torch.finfo(along.dtype).tiny)
        move = along * (STEP / longest)
        with torch.no_grad():
            forward, back = (ctx.features(x) for x in (ctx.at + move, ctx.at - move))
        return (forward - back) * (longest / (2.0 * STEP)).to(forward), None, None, None
