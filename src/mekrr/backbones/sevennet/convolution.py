"""SevenNet's convolution, faster than its own on a CPU and the same up to rounding.

`python -m benchmarks.backbones` times both, `python -m benchmarks.forces` their gradients too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from sevenn.nn.convolution import IrrepsConvolution

from mekrr.backbones.rows import add_up, grouping
from mekrr.backbones.sevennet.loops import Loops
from mekrr.backbones.sevennet.path import Kind, Path
from mekrr.backbones.sevennet.transpose import Transpose

EDGES = "edges"  # entry of SevenNet's input that is ours: what `edges_of` returns


def edges_of(centre: torch.Tensor, neighbour: torch.Tensor, n_atoms: int) -> dict[str, Any]:
    """Return the ends (n_edges,) of the edges, and room for the entries of their matrices.

    The layers share these. On a GPU, edges are grouped by centre and, for gradients, by neighbour.
    """
    if in_loops(centre):
        return {"entries": {}, "centre": centre.int(), "neighbour": neighbour.int()}
    edges = {"entries": {}, **grouping("centre", centre, n_atoms)}
    if torch.is_grad_enabled():
        return edges | grouping("neighbour", neighbour, n_atoms)
    return edges | {"neighbour": neighbour.int()}


def in_loops(x: torch.Tensor) -> bool:
    """Whether compiled loops go over the edges; on a GPU, torch passes over what edges have."""
    return x.is_cpu


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
            kind = Kind(ir.l, ir2.l, out.l, ins.path_weight)
            part = slice(width, width + mul)
            paths.append((ins.i_out, Path(kind, ins.i_in1, harmonics[ins.i_in2], part)))
            width += mul
        self._paths = [path for _, path in sorted(paths, key=lambda path: path[0])]
        self.transpose, self.loops = Transpose(self._paths), Loops(self._paths)

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Do as the module's own."""
        module = self._module
        weights = module.weight_nn(data[module.key_weight_input])
        return self.of_weights(data, data[module.key_filter], weights, data[EDGES])

    def of_weights(
        self,
        data: dict[str, Any],
        harmonics: torch.Tensor,
        weights: torch.Tensor,
        edges: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Do as the module's own, from harmonics and radial weights (n_edges, ...) of edges."""
        key = self._module.key_x
        sums = _Sums.apply(data[key], harmonics, weights, self, edges)
        return data | {key: sums / self._module.denominator}

    def sums(
        self, x: torch.Tensor, edges: Mapping[str, Any], weights: torch.Tensor
    ) -> torch.Tensor:
        """Sum messages over the edges of each centre, all paths side by side, by torch.

        Not differentiable: `_Sums` is. ``weights`` are radial, (n_edges, all paths' u).
        """
        n_atoms, blocks = len(x), self.blocks(x)
        sums = []
        for path in self._paths:
            message = self._couple(blocks[path.block], path, edges)
            message *= weights[:, None, path.weights]
            total = add_up(edges, "centre", message.flatten(1)).view(n_atoms, *message.shape[1:])
            sums.append(total.transpose(1, 2).flatten(1))
        return torch.cat(sums, dim=1)

    def blocks(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return features of each irreducible representation, (n_atoms (2l + 1), u)."""
        return [
            x[:, block].view(len(x), mul, ir.dim).transpose(1, 2).reshape(-1, mul)
            for (mul, ir), block in zip(self._irreps, self._blocks, strict=True)
        ]

    @staticmethod
    def _couple(x: torch.Tensor, path: Path, edges: Mapping[str, Any]) -> torch.Tensor:
        known = edges["entries"]
        if path.kind not in known:
            known[path.kind] = path.entries(edges)
        return path.forward(x, known[path.kind])


class _Sums(torch.autograd.Function):
    """`Convolution.sums`, its gradients in closed form."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        harmonics: torch.Tensor,
        weights: torch.Tensor,
        convolution: Convolution,
        edges: Mapping[str, Any],
    ) -> torch.Tensor:
        ctx.convolution, ctx.edges = convolution, edges
        ctx.save_for_backward(x, harmonics, weights)
        if in_loops(x):
            blocks = convolution.blocks(x)
            return convolution.loops.sums(blocks, harmonics, weights, edges)
        edges = {**edges, "harmonics": harmonics}
        return convolution.sums(x, edges, weights)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, harmonics, weights = ctx.saved_tensors
        blocks = ctx.convolution.blocks(x)
        given = upstream, blocks, harmonics, weights, ctx.edges
        if in_loops(x):
            by_harmonics = ctx.needs_input_grad[1]
            return *ctx.convolution.loops.gradients(*given, by_harmonics=by_harmonics), None, None
        return *ctx.convolution.transpose(*given), None, None
