"""What of SevenNet's channels does not turn with the frame."""

# TorchScript reads annotations: no `from __future__ import annotations` here.
import torch

SOFT = 0.01  # lengths of channels below which they are smoothed


def invariants(
    features: torch.Tensor, scalars: int, others: list[tuple[int, int]], soft: float = SOFT
) -> torch.Tensor:
    """Return the invariant features (n, d) of a layer.

    Parameters
    ----------
    features : (n, n_components). scalars : number of the first, which are such.
    others : channels that follow, of which the lengths are wanted, and components of each.
    soft : ε of a length √(r² + ε²) - ε.
    """
    found = [features[:, :scalars]]
    end = scalars
    for channels, components in others:
        begin, end = end, end + channels * components
        vectors = features[:, begin:end].reshape(len(features), channels, components)
        found.append((vectors.square().sum(dim=2) + soft**2).sqrt() - soft)
    return torch.cat(found, dim=1) if len(found) > 1 else found[0]
