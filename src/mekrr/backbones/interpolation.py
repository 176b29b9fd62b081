"""Loops that interpolate functions between knots for each edge, and their transpose, compiled.

An edge has four weights w_m, a first knot k, and from values V at the knots W = Σ_m w_m V_{k+m}.
"""

from __future__ import annotations

import numpy as np

from mekrr.backbones.compiled import compiled

Array = np.ndarray


@compiled
def interpolate(values: Array, knot: Array, weight: Array, out: Array) -> None:
    """Write W of each edge."""
    for e in range(len(knot)):
        k, row = knot[e], out[e]
        w0, w1, w2, w3 = weight[e, 0], weight[e, 1], weight[e, 2], weight[e, 3]
        v0, v1, v2, v3 = values[k], values[k + 1], values[k + 2], values[k + 3]
        for c in range(len(row)):
            row[c] = w0 * v0[c] + w1 * v1[c] + w2 * v2[c] + w3 * v3[c]


@compiled
def spread(rows: Array, knot: Array, weight: Array, out: Array) -> None:
    """Add w_m times the row of each edge to row k + m."""
    for e in range(len(knot)):
        row = rows[e]
        for m in range(4):
            there, w = out[knot[e] + m], weight[e, m]
            for c in range(len(row)):
                there[c] += w * row[c]
