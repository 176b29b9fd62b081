"""Loops that numba compiles for this processor, once for each machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

# So that sums over channels use vector instructions; what is not finite stays so.
FREEDOMS = {"reassoc", "contract", "nsz"}


def compiled(function: Callable[..., None]) -> Any:
    """Compile a loop over arrays when it is first called; the result is kept beside its module.

    Or in the user's cache; where neither can be written, it is compiled by each process.
    """
    options: dict[str, Any] = {"fastmath": FREEDOMS, "nogil": True, "error_model": "numpy"}
    try:
        return njit(**options, cache=True)(function)
    except RuntimeError:  # no place for the cache
        return njit(**options)(function)
