"""One path of SevenNet's tensor product, as a sparse matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from e3nn.o3 import wigner_3j
from torch.nn.functional import embedding_bag

Entries = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class Kind(NamedTuple):
    """Angular momenta l and l' that become l'', and a factor: what a path's matrix depends on."""

    in_l: int
    harmonics_l: int
    out_l: int
    factor: float


class Path:
    """One path of a tensor product, and its transpose; see `Convolution`.

    Attributes
    ----------
    kind : what its matrix depends on.
    block : irreducible representation of the input that it reads.
    harmonics : its part of the spherical harmonics.
    weights : its part of the radial weights.
    in_dim, out_dim, width : 2l + 1, 2l'' + 1 and number of u.
    """

    def __init__(self, kind: Kind, block: int, harmonics: slice, weights: slice):
        self.kind, self.block, self.harmonics, self.weights = kind, block, harmonics, weights
        momenta = kind.in_l, kind.harmonics_l, kind.out_l
        symbols = wigner_3j(*momenta)
        self._single = kind.factor * symbols
        # As SevenNet's own modules have them: with the digits of float32, but for those it knows.
        exact = wigner_3j(*momenta, dtype=torch.float64)
        self._double = kind.factor * (exact if 0 in momenta else symbols.double())
        self._nonzero = (symbols.abs() > 1e-6).any(dim=1)  # (2l + 1, 2l'' + 1)
        self.in_dim, self.out_dim = self._nonzero.shape
        self.width = weights.stop - weights.start
        # Entries (m'', m) by rows, and for each m its rows m''.
        self._row, self._column = self._nonzero.T.nonzero(as_tuple=True)
        counts = self._nonzero.sum(dim=0)
        self._begin = torch.cumsum(counts, 0) - counts

    def entries(self, edges: Mapping[str, torch.Tensor]) -> Entries:
        """Return the matrix for edges and their harmonics: columns, values, where rows begin."""
        neighbour = edges["neighbour"][:, None]
        weight = self.matrix(edges["harmonics"])[:, self._column, self._row]
        column = neighbour * self.in_dim + self._column.to(neighbour)
        edge = torch.arange(len(neighbour), device=weight.device, dtype=neighbour.dtype)[:, None]
        begin = edge * weight.shape[1] + self._begin.to(edge)
        return column.ravel(), weight.ravel(), begin.ravel()

    def forward(self, x: torch.Tensor, entries: Entries) -> torch.Tensor:
        """Return Σ_m [..] x_j,u,m for all edges and m'', from (n_atoms (2l + 1), u)."""
        column, weight, begin = entries
        message = embedding_bag(column, x, begin, per_sample_weights=weight, mode="sum")
        return message.view(-1, self.out_dim, x.shape[1])

    def coupled(self, upstream: torch.Tensor) -> torch.Tensor:
        """Return H (n_atoms, 2l' + 1, m and u side by side) of `Transpose`, from G."""
        upstream = upstream.unflatten(1, (self.width, self.out_dim))
        coupling = self.coupling(upstream).transpose(0, 1).flatten(0, 1)
        coupled = coupling @ upstream.transpose(1, 2)
        return coupled.view(len(upstream), -1, self.in_dim * self.width)

    def coupling(self, like: torch.Tensor) -> torch.Tensor:
        """Return C, (2l + 1, 2l' + 1, 2l'' + 1), in a precision and on a device."""
        return (self._double if like.dtype == torch.float64 else self._single).to(like)

    def matrix(self, harmonics: torch.Tensor) -> torch.Tensor:
        """Return Σ_m' C Y_m', (n_edges, 2l + 1, 2l'' + 1)."""
        coupling = self.coupling(harmonics)
        return torch.einsum("eb,abc->eac", harmonics[:, self.harmonics], coupling)
