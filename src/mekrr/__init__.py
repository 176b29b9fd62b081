"""MEKRR: kernel ridge regression with mean-embedding kernels on pre-trained GNN features.

Falk, Bonati, Novelli, Parrinello, Pontil, "Transfer learning for atomistic simulations
using GNNs and kernel mean embeddings", NeurIPS 2023 (arXiv 2306.01589).
"""

from importlib.metadata import version

__all__ = ["MEKRR"]
__version__ = version("mekrr")


def __getattr__(name: str) -> type:
    """Import the estimator, and scikit-learn and ASE with it, when it is asked for."""
    if name == "MEKRR":
        from mekrr.models.mekrr import MEKRR

        return MEKRR
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
