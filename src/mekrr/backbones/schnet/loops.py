"""Loops over the edges of a continuous-filter convolution and its derivatives, compiled.

Edge e = (i, j) has four weights w_m and slopes s_m, first knot k, and from values V at the knots

    W_e = Σ_m w_m V_{k+m},    W'_e = Σ_m s_m V_{k+m}.

Filters are made as they are used, and never stand in memory edge by edge: that is what makes the
loops fast. Results are added to the arrays that are given last.
"""

from __future__ import annotations

import numpy as np

from mekrr.backbones.compiled import compiled

Array = np.ndarray


@compiled
def sums(
    x: Array, values: Array, centre: Array, neighbour: Array, knot: Array, weight: Array, out: Array
) -> None:
    """Add x_j ⊙ W_e to row i."""
    for e in range(len(centre)):
        i, j, k = centre[e], neighbour[e], knot[e]
        w0, w1, w2, w3 = weight[e, 0], weight[e, 1], weight[e, 2], weight[e, 3]
        for c in range(x.shape[1]):
            v0, v1, v2, v3 = values[k, c], values[k + 1, c], values[k + 2, c], values[k + 3, c]
            out[i, c] += x[j, c] * (w0 * v0 + w1 * v1 + w2 * v2 + w3 * v3)


@compiled
def derivatives(
    u: Array,
    x: Array,
    values: Array,
    centre: Array,
    neighbour: Array,
    knot: Array,
    weight: Array,
    slope: Array,
    of_x: Array,
    of_distance: Array,
) -> None:
    """Add the derivatives of Σ u_i · sums_i: by x, and by the distance of each edge."""
    for e in range(len(centre)):
        i, j, k = centre[e], neighbour[e], knot[e]
        w0, w1, w2, w3 = weight[e, 0], weight[e, 1], weight[e, 2], weight[e, 3]
        s0, s1, s2, s3 = slope[e, 0], slope[e, 1], slope[e, 2], slope[e, 3]
        total = x.dtype.type(0)
        for c in range(x.shape[1]):
            v0, v1, v2, v3 = values[k, c], values[k + 1, c], values[k + 2, c], values[k + 3, c]
            up = u[i, c]
            of_x[j, c] += up * (w0 * v0 + w1 * v1 + w2 * v2 + w3 * v3)
            total += up * x[j, c] * (s0 * v0 + s1 * v1 + s2 * v2 + s3 * v3)
        of_distance[e] += total


@compiled
def second_derivatives(
    a: Array,
    b: Array,
    u: Array,
    x: Array,
    values: Array,
    centre: Array,
    neighbour: Array,
    knot: Array,
    weight: Array,
    slope: Array,
    of_u: Array,
    of_x: Array,
    of_values: Array,
) -> None:
    """Add the derivatives of Σ a_j · of_x_j + Σ b_e of_distance_e, see `derivatives`."""
    for e in range(len(centre)):
        i, j, k = centre[e], neighbour[e], knot[e]
        w0, w1, w2, w3 = weight[e, 0], weight[e, 1], weight[e, 2], weight[e, 3]
        s0, s1, s2, s3 = (
            b[e] * slope[e, 0],
            b[e] * slope[e, 1],
            b[e] * slope[e, 2],
            b[e] * slope[e, 3],
        )
        for c in range(x.shape[1]):
            v0, v1, v2, v3 = values[k, c], values[k + 1, c], values[k + 2, c], values[k + 3, c]
            along = s0 * v0 + s1 * v1 + s2 * v2 + s3 * v3
            up, own, there = u[i, c], a[j, c], x[j, c]
            of_u[i, c] += own * (w0 * v0 + w1 * v1 + w2 * v2 + w3 * v3) + there * along
            of_x[j, c] += up * along
            p, q = own * up, there * up
            of_values[k, c] += w0 * p + s0 * q
            of_values[k + 1, c] += w1 * p + s1 * q
            of_values[k + 2, c] += w2 * p + s2 * q
            of_values[k + 3, c] += w3 * p + s3 * q


@compiled
def derivatives_by_values(
    u: Array,
    x: Array,
    centre: Array,
    neighbour: Array,
    knot: Array,
    weight: Array,
    of_values: Array,
) -> None:
    """Add the derivatives of Σ u_i · sums_i by the values at the knots."""
    for e in range(len(centre)):
        i, j, k = centre[e], neighbour[e], knot[e]
        w0, w1, w2, w3 = weight[e, 0], weight[e, 1], weight[e, 2], weight[e, 3]
        for c in range(x.shape[1]):
            p = u[i, c] * x[j, c]
            of_values[k, c] += w0 * p
            of_values[k + 1, c] += w1 * p
            of_values[k + 2, c] += w2 * p
            of_values[k + 3, c] += w3 * p
