"""The contract of a network that torch compiles, for engines without Python."""

# TorchScript reads annotations: no `from __future__ import annotations` here.
import torch


class ScriptedBackbone(torch.nn.Module):
    """A frozen network as TorchScript compiles it.

    Attributes
    ----------
    cutoff : Å, up to which it wants pairs of atoms.
    reach : Å, beyond which no atom matters to the features of another, nor to its energy.
    dtype : in which it computes.
    """

    cutoff: float
    reach: float
    dtype: torch.dtype

    def forward(
        self,
        species: torch.Tensor,
        centre: torch.Tensor,
        neighbour: torch.Tensor,
        vectors: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features (n, d), layers side by side, and energies (n,) of atoms in eV.

        The energies are (0,) of a network without, or where none were asked for.

        Parameters
        ----------
        species : (n,) int64, atomic numbers of the atoms of all frames.
        centre, neighbour : (n_edges,) int64, atoms at the ends of each edge, of which each pair
            has two.
        vectors : (n_edges, 3) float64, Å, from centre to neighbour; by these it is differentiable.
        """
        raise NotImplementedError
