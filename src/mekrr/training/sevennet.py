"""SevenNet whose last interactions and readout are trained."""

from __future__ import annotations

from copy import deepcopy

import sevenn._keys as KEY
import torch
from e3nn.o3 import wigner_3j
from sevenn.nn.convolution import IrrepsConvolution
from torch.nn.functional import embedding_bag

from mekrr.backbones.sevennet import SevenNet
from mekrr.graphs import AtomGraph
from mekrr.training.network import Network, check_frozen
from mekrr.training.radial import Radial
from mekrr.training.sparse import State, sparse_product

KNOT_SPACING = 0.01  # Å; the shortest wave of the radial basis is 1.25 Å long


class FineTunedSevenNet(SevenNet, Network):
    """A SevenNet whose last interactions and readout are trained.

    Parameters
    ----------
    name : name in the registry of networks.
    start : name of the backbone.
    frozen : number of interactions that stay as they are, the embedding with them.
    checkpoint : option of the backbone.
    """

    indices = {
        "frame": "n_atoms",
        "centre": "x",
        "neighbour": "x",
        "by_neighbour": "centre",
        "neighbour_begin": "by_neighbour",
    } | Radial.indices("radial", "centre")

    def __init__(self, name: str, start: str, frozen: int, checkpoint: str = "7net-0"):
        super().__init__(name, checkpoint)
        check_frozen(name, frozen, self.layers)
        self.start = start
        first = [module for module, _ in self._modules].index(f"{frozen}_self_connection_intro")
        self._frozen = [module for _, module in self._modules[:first]]
        self._trained = torch.nn.ModuleList(deepcopy([m for _, m in self._modules[first:]]))
        self._trained.requires_grad_(True)
        self._radial = Radial(self._cutoff, KNOT_SPACING)
        basis = self._frozen[0]
        knots = self._radial.knots.clamp(max=self._cutoff)
        self._basis = (basis.basis_function(knots) * basis.cutoff_function(knots)[:, None]).detach()
        self._fast = {
            k: Convolution(module)
            for k, module in enumerate(self._trained)
            if isinstance(module, IrrepsConvolution)
        }

    def trunk(self, graph: AtomGraph) -> State:
        data = self._data(graph)
        for module in self._frozen:
            data = module(data)
        n_edges, n_atoms = len(graph.centre), len(graph.species)
        by_neighbour = torch.argsort(graph.neighbour, stable=True)
        sorted_neighbour = graph.neighbour[by_neighbour].contiguous()
        every = torch.arange(n_atoms, device=graph.centre.device)
        return {
            "n_atoms": graph.n_atoms.int(),
            "frame": graph.frame.int(),
            "type": data[KEY.ATOM_TYPE].int(),
            "x": data[KEY.NODE_FEATURE],
            "harmonics": data[KEY.EDGE_ATTR],
            "centre": graph.centre.int(),
            "neighbour": graph.neighbour.int(),
            "by_neighbour": by_neighbour.int(),
            "neighbour_begin": torch.searchsorted(sorted_neighbour, every).int(),
        } | self._radial.state(
            "radial",
            graph.edge_vectors().norm(dim=1),
            torch.arange(n_edges, device=graph.centre.device),
            n_edges,
        )

    def head(self, state: State) -> torch.Tensor:
        data = {
            KEY.NODE_FEATURE: state["x"],
            KEY.ATOM_TYPE: state["type"].long(),
            KEY.BATCH: state["frame"].long(),
        }
        for k, module in enumerate(self._trained):
            data = self._fast[k](data, state, self._basis) if k in self._fast else module(data)
        return data[KEY.PRED_TOTAL_ENERGY].reshape(-1)

    def energy(self, graph: AtomGraph) -> torch.Tensor:
        data = self._data(graph)
        for module in [*self._frozen, *self._trained]:
            data = module(data)
        return data[KEY.PRED_TOTAL_ENERGY].reshape(-1)

    def _data(self, graph: AtomGraph) -> dict[str, torch.Tensor]:
        """SevenNet's input."""
        return {
            KEY.ATOMIC_NUMBERS: graph.species,
            KEY.NODE_FEATURE: self._index_of[graph.species],
            KEY.EDGE_IDX: torch.stack([graph.centre, graph.neighbour]),
            KEY.EDGE_VEC: graph.edge_vectors().to(torch.float32),
            KEY.BATCH: graph.frame,
            KEY.NUM_ATOMS: graph.n_atoms,
        }

    def module(self) -> torch.nn.Module:
        return self._trained

    def to(self, device: torch.device | str) -> FineTunedSevenNet:
        super().to(device)
        self._trained.to(device)
        self._basis = self._basis.to(device)
        return self


class Convolution:
    """SevenNet's convolution on positions that no longer change, some ten times faster.

    Messages of the path p from angular momenta l and l' to l'', with radial weights w and
    spherical harmonics Y of the edge from centre i to neighbour j,

        m_i,u,m'' = Σ_j w_pu(d_ij) Σ_m [Σ_m' C_m,m',m'' Y_m'(r_ij)] x_j,u,m .

    What is in brackets is a sparse matrix; w is interpolated between knots.

    Parameters
    ----------
    module : SevenNet's module, whose weights are used.
    """

    def __init__(self, module: IrrepsConvolution):
        product = module.convolution
        self._module = module
        self._irreps, self._blocks = product.irreps_in1, product.irreps_in1.slices()
        harmonics = product.irreps_in2.slices()
        self._paths, width = [], 0
        for ins in product.instructions:
            (mul, ir), (_, ir2) = product.irreps_in1[ins.i_in1], product.irreps_in2[ins.i_in2]
            out = product.irreps_out[ins.i_out].ir
            coupling = ins.path_weight * wigner_3j(ir.l, ir2.l, out.l)
            path = _Path(ins.i_in1, harmonics[ins.i_in2], coupling, slice(width, width + mul))
            self._paths.append((ins.i_out, path))
            width += mul
        self._paths.sort(key=lambda path: path[0])

    def __call__(
        self, data: dict[str, torch.Tensor], state: State, basis: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """As the module's own, ``basis`` being the radial basis at the knots."""
        module = self._module
        x, weights = data[module.key_x], module.weight_nn(basis)
        n_atoms = len(x)
        blocks = [
            x[:, block].view(n_atoms, mul, ir.dim).transpose(1, 2).reshape(-1, mul)
            for (mul, ir), block in zip(self._irreps, self._blocks, strict=True)
        ]
        sums = []
        for _, path in self._paths:
            radial = sparse_product(state, "radial", weights[:, path.weights].contiguous())
            message = _Coupling.apply(blocks[path.block], path, state) * radial[:, None, :]
            total = message.new_zeros(n_atoms, *message.shape[1:])
            sums.append(total.index_add(0, state["centre"], message).transpose(1, 2).flatten(1))
        return data | {module.key_x: torch.cat(sums, dim=1) / module.denominator}


class _Path:
    """One path of a tensor product.

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

    def forward(self, x: torch.Tensor, state: State) -> torch.Tensor:
        """Σ_m [..] x_j,u,m for all edges and m'', from (n_atoms (2l + 1), u)."""
        neighbour = state["neighbour"][:, None]
        matrix = self._matrix(state["harmonics"])
        weight = matrix[:, self._column, self._row]
        column = neighbour * self.in_dim + self._column.to(neighbour)
        edge = torch.arange(len(neighbour), device=x.device, dtype=neighbour.dtype)[:, None]
        begin = edge * weight.shape[1] + self._begin.to(edge)
        message = embedding_bag(
            column.ravel(), x, begin.ravel(), per_sample_weights=weight.ravel(), mode="sum"
        )
        return message.view(len(neighbour), self.out_dim, -1)

    def backward(self, upstream: torch.Tensor, state: State) -> torch.Tensor:
        """Gradient with respect to x from that with respect to the messages."""
        upstream = upstream.flatten(0, 1)
        edge = state["by_neighbour"]
        matrix = self._matrix(state["harmonics"].index_select(0, edge))
        grads = []
        for m, rows in enumerate(self._nonzero):
            rows = rows.nonzero()[:, 0]
            weight = matrix[:, m, rows]
            column = edge[:, None] * self.out_dim + rows.to(edge)
            grads.append(
                embedding_bag(
                    column.ravel(),
                    upstream,
                    state["neighbour_begin"] * len(rows),
                    per_sample_weights=weight.ravel(),
                    mode="sum",
                )
            )
        return torch.stack(grads, dim=1).flatten(0, 1)

    def _matrix(self, harmonics: torch.Tensor) -> torch.Tensor:
        """Σ_m' C Y_m', (n_edges, 2l + 1, 2l'' + 1)."""
        coupling = self._coupling.to(harmonics)
        return torch.einsum("eb,abc->eac", harmonics[:, self._harmonics], coupling)


class _Coupling(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, path, state):
        ctx.path, ctx.state = path, state
        return path.forward(x, state)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream):
        return ctx.path.backward(upstream.contiguous(), ctx.state), None, None
