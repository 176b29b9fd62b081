"""MEKRR: kernel ridge regression with mean-embedding kernels on pre-trained GNN features.

Falk, Bonati, Novelli, Parrinello, Pontil, "Transfer learning for atomistic simulations
using GNNs and kernel mean embeddings", NeurIPS 2023 (arXiv 2306.01589).
"""

from importlib.metadata import version

__all__ = ["MEKRR", "Calculator"]
__version__ = version("mekrr")


def __getattr__(name: str) -> type:
    """Import what is asked for, and scikit-learn, ASE or torch with it, only then."""
    if name == "MEKRR":
        from mekrr.models.mekrr import MEKRR

        return MEKRR
    if name == "Calculator":
        from mekrr.calculator.calculator import Calculator

        return Calculator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
