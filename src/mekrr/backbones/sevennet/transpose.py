"""Gradients of SevenNet's convolution with respect to all that positions change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import embedding_bag

from mekrr.backbones.rows import add_up

if TYPE_CHECKING:
    from mekrr.backbones.sevennet.convolution import Path

EDGES_AT_ONCE = 768  # intermediate results of so many just stay in the cache


class Transpose:
    """Gradients of a convolution, in few passes over what each edge has.

    With the gradient G with respect to the sums, which is coupled once for each atom i,

        H_i,m',p,m,u = Σ_m'' C_m,m',m'' G_i,p,u,m'' ,
        T_p,m,u = Σ_m' Y_m'(r_ij) H_i,m',p,m,u ,

    those with respect to an edge's weights, features and harmonics are

        Σ_m T_p,m,u x_j,u,m ,   Σ_p w_pu T_p,m,u ,   Σ_p,m,u w_pu x_j,u,m H_i,m',p,m,u .

    Parameters
    ----------
    paths : those of the convolution, in the order of its sums.
    """

    def __init__(self, paths: Sequence[Path]):
        self._sizes = [path.width * path.out_dim for path in paths]
        # Paths of the same l', with their parts of G and of T.
        self._groups = []
        for columns in sorted({(path.harmonics.start, path.harmonics.stop) for path in paths}):
            members = [k for k, path in enumerate(paths) if path.harmonics == slice(*columns)]
            bounds = accumulate((paths[k].width * paths[k].in_dim for k in members), initial=0)
            parts = [slice(*part) for part in pairwise(bounds)]
            group = [(paths[k], k, part) for k, part in zip(members, parts, strict=True)]
            self._groups.append((slice(*columns), group))

    def __call__(
        self,
        upstream: torch.Tensor,
        blocks: Sequence[torch.Tensor],
        harmonics: torch.Tensor,
        weights: torch.Tensor,
        edges: Mapping[str, torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return gradients with respect to features, harmonics and radial weights.

        Parameters
        ----------
        upstream : G, (n_atoms, paths, u and m'' side by side).
        blocks : features x of each irreducible representation, (n_atoms (2l + 1), u).
        edges : with their groupings by centre and by neighbour.
        """
        n_atoms = len(upstream)
        gathered = [
            x.view(n_atoms, -1).index_select(0, edges["neighbour"]).unflatten(1, (-1, x.shape[1]))
            for x in blocks
        ]
        of_x = [torch.zeros_like(x) for x in gathered]
        of_harmonics, of_weights = torch.empty_like(harmonics), torch.empty_like(weights)
        parts = upstream.split(self._sizes, dim=1)
        for columns, group in self._groups:
            table = torch.cat([path.coupled(parts[k]) for path, k, _ in group], dim=2)
            for start in range(0, len(weights), EDGES_AT_ONCE):
                some = slice(start, start + EDGES_AT_ONCE)
                with torch.enable_grad():
                    values = harmonics[some, columns].detach().requires_grad_()
                    rows = _weighted(table, edges["centre"][some], values)
                products = torch.empty_like(rows)
                for path, _, part in group:
                    shape = (path.in_dim, path.width)
                    t = rows.detach()[:, part].unflatten(1, shape)
                    x, w = gathered[path.block][some], weights[some, None, path.weights]
                    torch.mul(x, w, out=products[:, part].unflatten(1, shape))
                    of_x[path.block][some].addcmul_(t, w)
                    of_w = torch.mul(t[:, 0], x[:, 0], out=of_weights[some, path.weights])
                    for m in range(1, path.in_dim):
                        of_w.addcmul_(t[:, m], x[:, m])
                (of_harmonics[some, columns],) = torch.autograd.grad(rows, values, products)
        sums = [
            add_up(edges, "neighbour", x.flatten(1)).view(n_atoms, *x.shape[1:]).transpose(1, 2)
            for x in of_x
        ]
        return torch.cat([x.flatten(1) for x in sums], dim=1), of_harmonics, of_weights


def _weighted(table: torch.Tensor, centre: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return Σ_m' Y_m' H_i,m' for all edges, from (n_atoms, 2l' + 1, d) and (n_edges, 2l' + 1)."""
    count = values.shape[1]
    row = centre[:, None] * count + torch.arange(count, device=centre.device, dtype=centre.dtype)
    begin = torch.arange(len(values), device=centre.device, dtype=centre.dtype) * count
    return embedding_bag(
        row.ravel(), table.flatten(0, 1), begin, per_sample_weights=values.ravel(), mode="sum"
    )
