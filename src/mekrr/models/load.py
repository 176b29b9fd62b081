"""Any fitted estimator from its file."""

from __future__ import annotations

import os

from mekrr.models.file import kind_of
from mekrr.models.mekrr import MEKRR
from mekrr.models.sparse_mekrr import SparseMEKRR


def load_model(
    path: str | os.PathLike, registry: str | os.PathLike | None = None
) -> MEKRR | SparseMEKRR:
    """Return the estimator that a file holds; parameters and errors are those of `MEKRR.load`."""
    kind = SparseMEKRR if kind_of(path) == "sparse" else MEKRR
    return kind.load(path, registry=registry)
