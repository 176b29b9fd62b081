"""How the frames of a Gram matrix are cut into the parts that jobs take.

Training frames and the rest are each cut into ``n_parts`` parts. The block of parts (i, j),
i ≤ j, holds training frames i with training frames j, whose mirror image is not computed,
the rest of i with training frames j, and the rest of j with training frames i. There are
n_parts (n_parts + 1)/2 blocks, those on the diagonal half the work of the others.

A part is computed by cells of about `CELL_ATOMS` atoms or `CELL_FRAMES` frames at most, so
that memory does not grow with it. Cells begin where bands of the engine do
(`mekrr.kernels.engine.plan`): products have the same shapes, and numbers the same last digits,
whatever the number of parts.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

from mekrr.features.store import FrameFeatures
from mekrr.kernels.engine.plan import cuts

CELL_ATOMS = 2**16  # 256 MiB of float32 features of width 1024
CELL_FRAMES = 2**10  # 8 MiB of kernels between two cells, and as much for each species


class Pair(NamedTuple):
    """The frames of a cell of one kind, "train" or "rest", with those of a training cell."""

    kind: str
    row: int
    column: int

    def __str__(self) -> str:
        return f"{self.kind}{self.row}-{self.column}"

    @property
    def mirrored(self) -> bool:
        """Whether the mirror image is another pair, which is not computed."""
        return self.kind == "train" and self.row != self.column


class Cells:
    """Training frames and the rest, in parts of several cells.

    Attributes
    ----------
    frames : by kind, the frames of each cell.
    first_column : (n_cells + 1,), column of the first frame of each training cell.
    """

    def __init__(self, train: np.ndarray, n_atoms: np.ndarray, n_parts: int):
        rest = np.setdiff1d(np.arange(len(n_atoms)), train)
        self.frames, self._parts = {}, {}
        for kind, members in (("train", train), ("rest", rest)):
            parts = [
                _divided(part, n_atoms, _n_cells(len(part), int(n_atoms[part].sum())))
                for part in _divided(members, n_atoms, n_parts)
            ]
            self.frames[kind] = [cell for part in parts for cell in part if len(cell)]
            ends = np.cumsum([sum(len(cell) > 0 for cell in part) for part in parts]).tolist()
            self._parts[kind] = list(map(range, [0, *ends[:-1]], ends))
        self.first_column = np.cumsum([0, *map(len, self.frames["train"])])

    def shape(self, pair: Pair) -> tuple[int, int]:
        """Return rows and columns of a pair's kernels."""
        rows, columns = self.frames[pair.kind][pair.row], self.frames["train"][pair.column]
        return len(rows), len(columns)

    def block(self, first: int, second: int) -> list[Pair]:
        """Return the pairs of cells that the block of two parts holds."""
        train, rest = self._parts["train"], self._parts["rest"]
        pairs = [Pair("train", a, b) for a in train[first] for b in train[second] if a <= b]
        for rows, columns in dict.fromkeys([(first, second), (second, first)]):
            pairs += [Pair("rest", a, b) for a in rest[rows] for b in train[columns]]
        return pairs


def pairs_of_parts(n_parts: int) -> list[tuple[int, int]]:
    """Return all blocks of a matrix."""
    return list(combinations_with_replacement(range(n_parts), 2))


def _n_cells(n_frames: int, n_atoms: int) -> int:
    return max(-(-n_frames // CELL_FRAMES), -(-n_atoms // CELL_ATOMS))


def _divided(frames: np.ndarray, n_atoms: np.ndarray, n: int) -> list[np.ndarray]:
    """Divide ``frames`` into n sequences of about as many atoms, cut where bands begin."""
    pointer = np.cumsum([0, *n_atoms[frames]])
    begins = cuts(FrameFeatures(np.empty((0, 0)), np.empty(0), pointer))
    bounds = np.linspace(0, len(begins), n + 1).round().astype(int)
    return np.split(frames, np.array([*begins, len(frames)])[bounds[1:-1]])
