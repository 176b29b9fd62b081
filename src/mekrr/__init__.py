"""MEKRR: kernel ridge regression with mean-embedding kernels on pre-trained GNN features.

Falk, Bonati, Novelli, Parrinello, Pontil, "Transfer learning for atomistic simulations
using GNNs and kernel mean embeddings", NeurIPS 2023 (arXiv 2306.01589).
"""

from importlib.metadata import version

__version__ = version("mekrr")
