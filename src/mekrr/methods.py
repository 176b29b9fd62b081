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
_LABELS = {
    "MEKRR-alpha": "MEKRR-α",
    "MEKRR-alpha-loo": "MEKRR-α, chosen by LOO",
    "MEKRR-species": "MEKRR, α per species",
    "Delta-MEKRR": "Δ-MEKRR",
}


def label(method: str) -> str:
    """A method's name as a reader should see it."""
    return _LABELS.get(method, method)
