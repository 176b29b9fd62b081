"""Gradients of SevenNet's convolution with respect to all that positions change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch.nn.functional import embedding_bag

from mekrr.backbones.rows import add_up
from mekrr.backbones.sevennet.path import Path

EDGES_AT_ONCE = 2048  # intermediate results of so many just stay in the cache


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
        self._groups: list[tuple[slice, list[tuple[int, Path, slice]]]] = []
        """By l': its columns of the harmonics, and its paths with their columns of T."""
        for start, stop in sorted({(path.harmonics.start, path.harmonics.stop) for path in paths}):
            members = [(k, p) for k, p in enumerate(paths) if p.harmonics.start == start]
            bounds = accumulate((p.width * p.in_dim for _, p in members), initial=0)
            parts = [slice(*part) for part in pairwise(bounds)]
            group = [(k, p, part) for (k, p), part in zip(members, parts, strict=True)]
            self._groups.append((slice(start, stop), group))

    def __call__(
        self,
        upstream: torch.Tensor,
        blocks: Sequence[torch.Tensor],
        harmonics: torch.Tensor,
        weights: torch.Tensor,
        edges: Mapping[str, Any],
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return gradients with respect to features, harmonics and radial weights.

        That with respect to the constant harmonic, l' = 0, is left at 0.

        Parameters
        ----------
        upstream : G, (n_atoms, paths, u and m'' side by side).
        blocks : features x of each irreducible representation, (n_atoms (2l + 1), u).
        edges : with their groupings by centre and by neighbour.
        """
        n_atoms = len(upstream)
        gathered = [
            x.reshape(n_atoms, -1)
            .index_select(0, edges["neighbour"])
            .unflatten(1, (-1, x.shape[1]))
            for x in blocks
        ]
        of_x = [torch.zeros_like(x) for x in gathered]
        of_harmonics, of_weights = torch.zeros_like(harmonics), torch.empty_like(weights)
        parts = upstream.split(self._sizes, dim=1)
        for columns, group in self._groups:
            table = torch.cat([path.coupled(parts[k]) for k, path, _ in group], dim=2)
            for start in range(0, len(weights), EDGES_AT_ONCE):
                some = slice(start, start + EDGES_AT_ONCE)
                x, pull = [a[some] for a in gathered], [a[some] for a in of_x]
                w, of_w = weights[some], of_weights[some]
                y = harmonics[some, columns]
                with torch.enable_grad():
                    rows = _weighted(table, edges["centre"][some], y.requires_grad_())
                products = rows.detach()
                for _, path, part in group:
                    k, radial = path.block, w[:, None, path.weights]
                    t = products[:, part].unflatten(1, (path.in_dim, path.width))
                    pull[k].addcmul_(t, radial)
                    _dot(t, x[k], of_w[:, path.weights])
                    torch.mul(x[k], radial, out=t)  # in its place
                if columns.start > 0:
                    (of_harmonics[some, columns],) = torch.autograd.grad(rows, y, products)
        sums = [
            add_up(edges, "neighbour", x.flatten(1)).view(n_atoms, *x.shape[1:]).transpose(1, 2)
            for x in of_x
        ]
        return torch.cat([x.flatten(1) for x in sums], dim=1), of_harmonics, of_weights


def _dot(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> None:
    """Write Σ_m a_m b_m of (n, 2l + 1, u) to ``out`` (n, u)."""
    torch.mul(a[:, 0], b[:, 0], out=out)
    for m in range(1, a.shape[1]):
        out.addcmul_(a[:, m], b[:, m])


def _weighted(table: torch.Tensor, centre: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Return Σ_m' Y_m' H_i,m' for all edges, from (n_atoms, 2l' + 1, d) and (n_edges, 2l' + 1)."""
    count = values.shape[1]
    row = centre[:, None] * count + torch.arange(count, device=centre.device, dtype=centre.dtype)
    return embedding_bag(row, table.flatten(0, 1), per_sample_weights=values, mode="sum")
