"""Memory for the large arrays that every step of a training makes anew."""

from __future__ import annotations

import ctypes

# Parameters of glibc's mallopt.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
KEEP = 1 << 28  # bytes


def keep_freed_memory() -> None:
    """Let the process keep what it frees, where the C library is glibc.

    By default each large array is mapped from the system and given back, and the system clears
    its pages on first use, anew in every step.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, KEEP)
        mallopt(M_TOP_PAD, KEEP)
