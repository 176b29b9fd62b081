"""MEKRR: kernel ridge regression with mean-embedding kernels on pre-trained GNN features.

Falk, Bonati, Novelli, Parrinello, Pontil, "Transfer learning for atomistic simulations
using GNNs and kernel mean embeddings", NeurIPS 2023 (arXiv 2306.01589).
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__all__ = ["MEKRR", "Calculator", "SparseMEKRR", "load_model"]
__version__ = version("mekrr")


_PLACES = {
    "MEKRR": "mekrr.models.mekrr",
    "SparseMEKRR": "mekrr.models.sparse_mekrr",
    "load_model": "mekrr.models.load",
    "Calculator": "mekrr.calculator.calculator",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and scikit-learn, ASE or torch with it, only then."""
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
