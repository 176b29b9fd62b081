"""SevenNet's convolution, faster than its own on a CPU and the same up to rounding.

`python -m benchmarks.backbones` times both, `python -m benchmarks.forces` their gradients too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from e3nn.o3 import wigner_3j
from sevenn.nn.convolution import IrrepsConvolution
from torch.nn.functional import embedding_bag

from mekrr.backbones.graph import AtomGraph
from mekrr.backbones.rows import add_up, grouping
from mekrr.backbones.sevennet.transpose import Transpose

EDGES = "edges"  # entry of SevenNet's input that is ours: what `edges_of` returns


def edges_of(graph: AtomGraph) -> dict[str, torch.Tensor]:
    """Return the ends of edges, grouped by centre and, if gradients are wanted, by neighbour."""
    n_atoms = len(graph.species)
    edges = grouping("centre", graph.centre, n_atoms)
    if graph.positions.requires_grad and torch.is_grad_enabled():
        return edges | grouping("neighbour", graph.neighbour, n_atoms)
    return edges | {"neighbour": graph.neighbour.int()}


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
        paths, width = [], 0
        for ins in product.instructions:
            (mul, ir), (_, ir2) = product.irreps_in1[ins.i_in1], product.irreps_in2[ins.i_in2]
            out = product.irreps_out[ins.i_out].ir
            coupling = ins.path_weight * wigner_3j(ir.l, ir2.l, out.l)
            path = Path(ins.i_in1, harmonics[ins.i_in2], coupling, slice(width, width + mul))
            paths.append((ins.i_out, path))
            width += mul
        self._paths = [path for _, path in sorted(paths, key=lambda path: path[0])]
        self.transpose = Transpose(self._paths)

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Do as the module's own."""
        module = self._module
        weights = module.weight_nn(data[module.key_weight_input])
        x, harmonics = data[module.key_x], data[module.key_filter]
        return self._updated(data, _Sums.apply(x, harmonics, weights, self, data[EDGES]))

    def sums(
        self,
        x: torch.Tensor,
        edges: Mapping[str, torch.Tensor],
        radial: Callable[[Path], torch.Tensor],
    ) -> torch.Tensor:
        """Sum messages over the edges of each centre, all paths side by side.

        ``radial`` gives the radial weights (n_edges, u) of a path.
        """
        n_atoms, blocks = len(x), self.blocks(x)
        sums = []
        for path in self._paths:
            message = self._couple(blocks[path.block], path, edges) * radial(path)[:, None, :]
            total = add_up(edges, "centre", message.flatten(1)).view(n_atoms, *message.shape[1:])
            sums.append(total.transpose(1, 2).flatten(1))
        return torch.cat(sums, dim=1)

    def blocks(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return features of each irreducible representation, (n_atoms (2l + 1), u)."""
        return [
            x[:, block].view(len(x), mul, ir.dim).transpose(1, 2).reshape(-1, mul)
            for (mul, ir), block in zip(self._irreps, self._blocks, strict=True)
        ]

    def _updated(self, data: dict[str, Any], sums: torch.Tensor) -> dict[str, Any]:
        return data | {self._module.key_x: sums / self._module.denominator}

    @staticmethod
    def _couple(x: torch.Tensor, path: Path, edges: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return path.forward(x, edges)


class _Sums(torch.autograd.Function):
    """`Convolution.sums`, its gradients in closed form."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        harmonics: torch.Tensor,
        weights: torch.Tensor,
        convolution: Convolution,
        edges: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        ctx.convolution, ctx.edges = convolution, edges
        ctx.save_for_backward(x, harmonics, weights)
        edges = {**edges, "harmonics": harmonics}
        return convolution.sums(x, edges, lambda path: weights[:, path.weights])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, harmonics, weights = ctx.saved_tensors
        blocks = ctx.convolution.blocks(x)
        grads = ctx.convolution.transpose(upstream, blocks, harmonics, weights, ctx.edges)
        return *grads, None, None


class Path:
    """One path of a tensor product, and its transpose.

    Attributes
    ----------
    block : irreducible representation of the input that it reads.
    harmonics : its part of the spherical harmonics.
    coupling : C, (2l + 1, 2l' + 1, 2l'' + 1).
    weights : its part of the radial weights.
    """

    def __init__(self, block: int, harmonics: slice, coupling: torch.Tensor, weights: slice):
        self.block, self.weights = block, weights
        self.harmonics, self.coupling = harmonics, coupling
        self._nonzero = (coupling.abs() > 1e-6).any(dim=1)  # (2l + 1, 2l'' + 1)
        self.in_dim, self.out_dim = self._nonzero.shape
        self.width = weights.stop - weights.start
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

    def coupled(self, upstream: torch.Tensor) -> torch.Tensor:
        """Return H (n_atoms, 2l' + 1, m and u side by side) of `Transpose`, from G."""
        upstream = upstream.unflatten(1, (self.width, self.out_dim))
        coupling = self.coupling.to(upstream).transpose(0, 1).flatten(0, 1)
        coupled = coupling @ upstream.transpose(1, 2)
        return coupled.view(len(upstream), -1, self.in_dim * self.width)

    def _matrix(self, harmonics: torch.Tensor) -> torch.Tensor:
        """Return Σ_m' C Y_m', (n_edges, 2l + 1, 2l'' + 1)."""
        coupling = self.coupling.to(harmonics)
        return torch.einsum("eb,abc->eac", harmonics[:, self.harmonics], coupling)
