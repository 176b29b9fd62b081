"""Loops that numba compiles for this processor, once for each machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

# So that sums over channels use vector instructions; what is not finite stays so.
FREEDOMS = {"reassoc", "contract", "nsz"}


def compiled(function: Callable[..., None]) -> Any:
    """Compile a loop over arrays when it is first called; the result is kept beside its module.

    Or in the user's cache; where neither can be written, it is compiled by each process.
    """
    from numba import njit  # takes a while to import, and not every job runs a loop

    options: dict[str, Any] = {"fastmath": FREEDOMS, "nogil": True, "error_model": "numpy"}
    try:
        return njit(**options, cache=True)(function)
    except RuntimeError:  # no place for the cache
        return njit(**options)(function)


def array(tensor: torch.Tensor) -> np.ndarray:
    """Return a tensor on the CPU as loops want it: without gradients, contiguous."""
    return tensor.detach().contiguous().numpy()
