"""How many triangles of rows one job merges."""

from __future__ import annotations

MOST_MERGED = 16  # and with how many inducing atoms
AT_ONCE = (8, 3000)  # a job merges as many, of as many inducing atoms, in less than a minute


def fan_in(inducing: int) -> int:
    """Return how many triangles a job merges; each takes the cube of the inducing atoms."""
    several, n_inducing = AT_ONCE
    return max(2, min(MOST_MERGED, int(several * (n_inducing / inducing) ** 3)))


def levels(n_parts: int, inducing: int) -> list[int]:
    """Return the number of triangles of each level above so many parts, down to one."""
    found = [-(-n_parts // fan_in(inducing))]
    while found[-1] > 1:
        found.append(-(-found[-1] // fan_in(inducing)))
    return found
