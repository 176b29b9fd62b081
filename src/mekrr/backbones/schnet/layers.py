"""The layers of a SchNet, named and initialised as torch_geometric has them.

So its checkpoints fit, as those of the Open Catalyst Project do, and a seed gives the same
weights. How messages are passed along edges is left to who uses the layers. torch_geometric's own
classes would do, but importing them takes seconds, and each leaves a file in the temporary
folder.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import Embedding, Linear, Module, ModuleList, Sequential

LOG_2 = torch.tensor(2.0).log().item()  # rounded to float32, as checkpoints were trained with it
SPECIES = 100  # rows of the embedding, by atomic number; row 0 belongs to none


class ShiftedSoftplus(Module):
    """log(1 + exp(x)) - log 2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.softplus(x) - LOG_2


class GaussianSmearing(Module):
    """exp(-(d - μ)² / 2Δ²) for Gaussians at centres μ from 0 to ``cutoff`` (Å), Δ apart."""

    offset: torch.Tensor

    def __init__(self, cutoff: float, num_gaussians: int):
        super().__init__()
        centres = torch.linspace(0.0, cutoff, num_gaussians)
        self.coeff = -0.5 / (centres[1] - centres[0]).item() ** 2
        self.register_buffer("offset", centres)

    def forward(self, distance: torch.Tensor) -> torch.Tensor:
        return torch.exp(self.coeff * (distance[:, None] - self.offset).square())


class Convolution(Module):
    """The linear layers before and after the sum over neighbours, with the filters' network."""

    def __init__(self, hidden_channels: int, num_filters: int, filters: Sequential):
        super().__init__()
        self.lin1 = Linear(hidden_channels, num_filters, bias=False)
        self.lin2 = Linear(num_filters, hidden_channels)
        self.nn = filters
        self.initialise()

    def initialise(self) -> None:
        _initialise(self.lin1, self.lin2)


class Interaction(Module):
    """One interaction: filters, convolution and the layer after it."""

    def __init__(self, hidden_channels: int, num_gaussians: int, num_filters: int):
        super().__init__()
        self.mlp: Any = Sequential(
            Linear(num_gaussians, num_filters), ShiftedSoftplus(), Linear(num_filters, num_filters)
        )
        self.conv = Convolution(hidden_channels, num_filters, self.mlp)
        self.act = ShiftedSoftplus()
        self.lin = Linear(hidden_channels, hidden_channels)
        self.initialise()

    def initialise(self) -> None:
        _initialise(self.mlp[0], self.mlp[2])
        self.conv.initialise()
        _initialise(self.lin)


class SchNetLayers(Module):
    """All layers: embedding, interactions, readout.

    Parameters
    ----------
    hidden_channels : width of an atom's features.
    num_filters : width of the messages.
    num_interactions : number of interactions.
    num_gaussians : distances are smeared over so many.
    cutoff : Å.
    """

    def __init__(
        self,
        hidden_channels: int = 128,
        num_filters: int = 128,
        num_interactions: int = 6,
        num_gaussians: int = 50,
        cutoff: float = 10.0,
    ):
        super().__init__()
        self.num_interactions, self.num_gaussians = num_interactions, num_gaussians
        self.cutoff = cutoff
        self.embedding = Embedding(SPECIES, hidden_channels, padding_idx=0)
        self.distance_expansion = GaussianSmearing(cutoff, num_gaussians)
        interactions = [
            Interaction(hidden_channels, num_gaussians, num_filters)
            for _ in range(num_interactions)
        ]
        self.interactions: Any = ModuleList(interactions)
        self.lin1 = Linear(hidden_channels, hidden_channels // 2)
        self.act = ShiftedSoftplus()
        self.lin2 = Linear(hidden_channels // 2, 1)
        self.embedding.reset_parameters()
        for interaction in interactions:
            interaction.initialise()
        _initialise(self.lin1, self.lin2)


def _initialise(*layers: Linear) -> None:
    # By each part as it is made, and again by the whole: random numbers are drawn in that order.
    for layer in layers:
        torch.nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            torch.nn.init.zeros_(layer.bias)
