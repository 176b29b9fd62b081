"""SevenNet's convolution, faster than its own on a CPU and the same up to rounding.

`python -m benchmarks.backbones` times both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from e3nn.o3 import wigner_3j
from sevenn.nn.convolution import IrrepsConvolution
from torch.nn.functional import embedding_bag

from mekrr.backbones.rows import add_up, grouping


class Convolution:
    """A convolution whose weights stay as they are.

    Messages of the path p from angular momenta l and l' to l'', with radial weights w and
    spherical harmonics Y of the edge from centre i to neighbour j,

        m_i,u,m'' = Σ_j w_pu(d_ij) Σ_m [Σ_m' C_m,m',m'' Y_m'(r_ij)] x_j,u,m .

    What is in brackets is a sparse matrix, by which features are gathered and multiplied in one
    pass.

    Parameters
    ----------
    module : SevenNet's module, whose weights are used.
    """

    def __init__(self, module: IrrepsConvolution):
        product: Any = module.convolution
        self._module: Any = module
        self._irreps, self._blocks = product.irreps_in1, product.irreps_in1.slices()
        harmonics = product.irreps_in2.slices()
        self._paths, width = [], 0
        for ins in product.instructions:
            (mul, ir), (_, ir2) = product.irreps_in1[ins.i_in1], product.irreps_in2[ins.i_in2]
            out = product.irreps_out[ins.i_out].ir
            coupling = ins.path_weight * wigner_3j(ir.l, ir2.l, out.l)
            path = Path(ins.i_in1, harmonics[ins.i_in2], coupling, slice(width, width + mul))
            self._paths.append((ins.i_out, path))
            width += mul
        self._paths.sort(key=lambda path: path[0])

    def __call__(self, data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Do as the module's own."""
        module = self._module
        centre, neighbour = data[module.key_edge_idx].int()
        edges = {
            "neighbour": neighbour,
            "harmonics": data[module.key_filter],
        } | grouping("centre", centre, len(data[module.key_x]))
        weights = module.weight_nn(data[module.key_weight_input])
        return self._convolve(data, edges, lambda path: weights[:, path.weights])

    def _convolve(
        self,
        data: dict[str, torch.Tensor],
        edges: Mapping[str, torch.Tensor],
        radial: Callable[[Path], torch.Tensor],
    ) -> dict[str, torch.Tensor]:
        """Sum messages, with radial weights (n_edges, u) of each path."""
        key = self._module.key_x
        x = data[key]
        n_atoms = len(x)
        blocks = [
            x[:, block].view(n_atoms, mul, ir.dim).transpose(1, 2).reshape(-1, mul)
            for (mul, ir), block in zip(self._irreps, self._blocks, strict=True)
        ]
        sums = []
        for _, path in self._paths:
            message = self._couple(blocks[path.block], path, edges) * radial(path)[:, None, :]
            total = add_up(edges, "centre", message.flatten(1)).view(n_atoms, *message.shape[1:])
            sums.append(total.transpose(1, 2).flatten(1))
        return data | {key: torch.cat(sums, dim=1) / self._module.denominator}

    @staticmethod
    def _couple(x: torch.Tensor, path: Path, edges: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return path.forward(x, edges)


class Path:
    """One path of a tensor product, and its transpose.

    Attributes
    ----------
    block : irreducible representation of the input that it reads.
    weights : its part of the radial weights.
    """

    def __init__(self, block: int, harmonics: slice, coupling: torch.Tensor, weights: slice):
        self.block, self.weights = block, weights
        self._harmonics, self._coupling = harmonics, coupling
        self._nonzero = (coupling.abs() > 1e-6).any(dim=1)  # (2l + 1, 2l'' + 1)
        self.in_dim, self.out_dim = self._nonzero.shape
        # Entries (m'', m) by rows, and for each m its rows m''.
        self._row, self._column = self._nonzero.T.nonzero(as_tuple=True)
        counts = self._nonzero.sum(dim=0)
        self._begin = torch.cumsum(counts, 0) - counts

    def forward(self, x: torch.Tensor, edges: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return Σ_m [..] x_j,u,m for all edges and m'', from (n_atoms (2l + 1), u)."""
        neighbour = edges["neighbour"][:, None]
        matrix = self._matrix(edges["harmonics"])
        weight = matrix[:, self._column, self._row]
        column = neighbour * self.in_dim + self._column.to(neighbour)
        edge = torch.arange(len(neighbour), device=x.device, dtype=neighbour.dtype)[:, None]
        begin = edge * weight.shape[1] + self._begin.to(edge)
        message = embedding_bag(
            column.ravel(), x, begin.ravel(), per_sample_weights=weight.ravel(), mode="sum"
        )
        return message.view(len(neighbour), self.out_dim, x.shape[1])

    def backward(self, upstream: torch.Tensor, edges: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the gradient with respect to x from that with respect to the messages.

        ``edges`` has the grouping of edges by neighbour as well.
        """
        upstream = upstream.flatten(0, 1)
        edge = edges["neighbour_order"]
        matrix = self._matrix(edges["harmonics"].index_select(0, edge))
        grads = []
        for m, rows in enumerate(self._nonzero):
            rows = rows.nonzero()[:, 0]
            weight = matrix[:, m, rows]
            column = edge[:, None] * self.out_dim + rows.to(edge)
            grads.append(
                embedding_bag(
                    column.ravel(),
                    upstream,
                    edges["neighbour_begin"] * len(rows),
                    per_sample_weights=weight.ravel(),
                    mode="sum",
                )
            )
        return torch.stack(grads, dim=1).flatten(0, 1)

    def _matrix(self, harmonics: torch.Tensor) -> torch.Tensor:
        """Return Σ_m' C Y_m', (n_edges, 2l + 1, 2l'' + 1)."""
        coupling = self._coupling.to(harmonics)
        return torch.einsum("eb,abc->eac", harmonics[:, self._harmonics], coupling)
