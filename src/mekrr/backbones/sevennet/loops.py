"""SevenNet's convolution and its gradients by compiled loops over the edges, on a CPU.

Messages are made and used up edge by edge, and never stand in memory: that is what makes the loops
fast. `python -m benchmarks.forces` times what they are part of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch

from mekrr.backbones.compiled import array, compiled
from mekrr.backbones.sevennet.path import Path

Array = np.ndarray


class Loops:
    """A convolution of weights that stay as they are; see `Convolution`.

    Parameters
    ----------
    paths : those of the convolution, in the order of its sums.
    """

    def __init__(self, paths: Sequence[Path]):
        self._paths = paths

    def sums(
        self,
        blocks: Sequence[torch.Tensor],
        harmonics: torch.Tensor,
        weights: torch.Tensor,
        edges: Mapping[str, Any],
    ) -> torch.Tensor:
        """Return sums of messages over the edges of each centre, all paths side by side.

        Parameters
        ----------
        blocks : features of each irreducible representation, (n_atoms (2l + 1), u).
        harmonics : (n_edges, m'). weights : radial, (n_edges, all paths' u).
        edges : ``centre`` and ``neighbour``, with room for ``entries``.
        """
        ends, radial = _ends(edges), array(weights)
        parts = []
        for path in self._paths:
            x = blocks[path.block].unflatten(0, (-1, path.in_dim))
            out = x.new_zeros(len(x), path.out_dim, path.width)
            arrays = array(x), radial, path.weights.start, self._entries(path, harmonics, edges)
            _sums(path.in_dim, path.out_dim)(*arrays, *ends, out.numpy())
            parts.append(_flat(out))
        return torch.cat(parts, dim=1)

    def gradients(
        self,
        upstream: torch.Tensor,
        blocks: Sequence[torch.Tensor],
        harmonics: torch.Tensor,
        weights: torch.Tensor,
        edges: Mapping[str, Any],
        *,
        by_harmonics: bool,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
        """Return gradients with respect to features, harmonics and radial weights.

        That with respect to the constant harmonic, l' = 0, is left at 0, and none is returned
        unless ``by_harmonics``. ``upstream`` is that with respect to the sums.
        """
        ends, radial = _ends(edges), array(weights)
        of_x = [torch.zeros_like(x) for x in blocks]
        of_harmonics, of_weights = torch.zeros_like(harmonics), torch.empty_like(weights)
        sizes = [path.width * path.out_dim for path in self._paths]
        for path, part in zip(self._paths, upstream.split(sizes, dim=1), strict=True):
            x, pulled = (b[path.block].unflatten(0, (-1, path.in_dim)) for b in (blocks, of_x))
            g = part.unflatten(1, (path.width, path.out_dim)).transpose(1, 2)
            wanted = by_harmonics and path.harmonics.start > 0
            n_wanted = len(weights) if wanted else 0
            of_entries = x.new_empty(n_wanted, path.out_dim, path.in_dim)
            arrays = array(g), array(x), radial, path.weights.start
            entries = self._entries(path, harmonics, edges)
            results = (a.numpy() for a in (pulled, of_weights, of_entries))
            _gradients(path.in_dim, path.out_dim)(*arrays, entries, *ends, *results)
            if wanted:
                coupling = path.coupling(of_entries)
                of_harmonics[:, path.harmonics] += torch.einsum("eca,abc->eb", of_entries, coupling)
        flat = [_flat(x.view(len(upstream), -1, x.shape[1])) for x in of_x]
        return torch.cat(flat, dim=1), of_harmonics if by_harmonics else None, of_weights

    @staticmethod
    def _entries(path: Path, harmonics: torch.Tensor, edges: Mapping[str, Any]) -> Array:
        """Return the path's matrix A of each edge, (n_edges, 2l'' + 1, 2l + 1)."""
        known = edges["entries"]
        if path.kind not in known:
            matrix = path.matrix(harmonics.detach()).transpose(1, 2)
            known[path.kind] = matrix.contiguous().numpy()
        return known[path.kind]


def _ends(edges: Mapping[str, Any]) -> tuple[Array, Array]:
    return edges["centre"].numpy(), edges["neighbour"].numpy()


def _flat(sums: torch.Tensor) -> torch.Tensor:
    """Return (n_atoms, m, u) with u and m side by side."""
    return sums.transpose(1, 2).flatten(1)


@cache
def _sums(n_in: int, n_out: int) -> Any:
    """Compile the sums of paths from so many m to so many m''; as constants they cost nothing."""

    @compiled
    def sums(
        x: Array,
        weights: Array,
        first: int,
        entries: Array,
        centre: Array,
        neighbour: Array,
        out: Array,
    ) -> None:
        """Add w_u Σ_m A_m'',m x_j,m,u to out_i,m'',u; w are columns from ``first`` on."""
        width = x.shape[2]
        for e in range(len(centre)):
            there, here, a = x[neighbour[e]], out[centre[e]], entries[e]
            w = weights[e, first : first + width]
            for row in range(n_out):
                for u in range(width):
                    message = a[row, 0] * there[0, u]
                    for m in range(1, n_in):
                        message += a[row, m] * there[m, u]
                    here[row, u] += w[u] * message

    return sums


@cache
def _gradients(n_in: int, n_out: int) -> Any:
    """Compile the gradients of the same."""

    @compiled
    def gradients(
        upstream: Array,
        x: Array,
        weights: Array,
        first: int,
        entries: Array,
        centre: Array,
        neighbour: Array,
        of_x: Array,
        of_weights: Array,
        of_entries: Array,
    ) -> None:
        """Write the gradients of Σ upstream_i,m'',u out_i,m'',u; those by x are added.

        None by entries are wanted where ``of_entries`` has no rows.
        """
        width = x.shape[2]
        pull, of_w, sent = np.empty((3, width), x.dtype)
        wanted = len(of_entries) > 0
        for e in range(len(centre)):
            j = neighbour[e]
            here, there, pulled, a = upstream[centre[e]], x[j], of_x[j], entries[e]
            w = weights[e, first : first + width]
            of_w[:] = 0
            # Few arrays in a loop, else the compiler leaves vector instructions out.
            for m in range(n_in):
                for u in range(width):
                    pull[u] = a[0, m] * here[0, u]
                    for row in range(1, n_out):
                        pull[u] += a[row, m] * here[row, u]
                    pulled[m, u] += w[u] * pull[u]
                for u in range(width):
                    of_w[u] += pull[u] * there[m, u]
                if wanted:
                    for u in range(width):
                        sent[u] = w[u] * there[m, u]
                    for row in range(n_out):
                        total = x.dtype.type(0)
                        for u in range(width):
                            total += sent[u] * here[row, u]
                        of_entries[e, row, m] = total
            of_weights[e, first : first + width] = of_w

    return gradients
