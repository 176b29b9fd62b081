"""The methods that the study compares: their names in tables, their order, their labels."""

from __future__ import annotations

# From the weakest reference to the estimators of the paper and their extensions.
ORDER = (
    "training mean",
    "untouched GNN",
    "SchNet",
    "GAP-SOAP",
    "SchNet-FT",
    "SevenNet-FT",
    "CHGNet-FT",
    "linear ridge",
    "species ridge",
    "MEKRR",
    "MEKRR-alpha",
    "MEKRR-alpha-loo",
    "MEKRR-species",
    "Delta-MEKRR",
)
REFERENCES = ("training mean", "untouched GNN")  # learn nothing but a constant
NETWORKS = ("SchNet", "SchNet-FT", "SevenNet-FT", "CHGNet-FT")
TRAINED = ("GAP-SOAP", *NETWORKS)  # not by our kernels
_LABELS = {
    "MEKRR-alpha": "MEKRR-α",
    "MEKRR-alpha-loo": "MEKRR-α by LOO",
    "MEKRR-species": "MEKRR-α by species",
    "Delta-MEKRR": "Δ-MEKRR",
}
STRATEGY_LABELS = {
    "random": "split of frames at random",
    "run": "split by run",
    "sequential": "split in time order",
    "published": "published split",
}


def label(method: str) -> str:
    """A method's name as a reader should see it."""
    return _LABELS.get(method, method)
