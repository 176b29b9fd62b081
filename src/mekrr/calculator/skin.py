"""Neighbour lists that are used again while no atom has moved far (Verlet, 1967)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from mekrr.backbones.graph import Search, search_pairs
from mekrr.errors import ConfigError


class Skin:
    """Find pairs within a cutoff among those once found within cutoff + skin.

    Those serve while cell, periodicity and elements are the same and no atom has moved by more
    than half the skin: then no pair that is now within the cutoff was beyond cutoff + skin. It is
    a `Search` of `mekrr.backbones.graph`.

    Pairs are ordered by their atoms and the image, however they were found: so are sums over them,
    and an energy does not depend, not in its last bit, on when the list was made.

    Parameters
    ----------
    skin : Å; 0 searches anew whenever an atom has moved.

    Attributes
    ----------
    searches : how often pairs were searched for.
    """

    def __init__(self, skin: float, search: Search = search_pairs):
        if not 0.0 <= skin < np.inf:
            raise ConfigError(f"skin={skin}: give a length in Å from 0, for example 0.5")
        self.skin = float(skin)
        self.searches = 0
        self._search = search
        self._found: dict[float, _Pairs] = {}  # by cutoff: a potential may have several

    def __call__(
        self, atoms: Atoms, cutoff: float, half: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find the pairs of a frame; see `Search`."""
        found = self._found.get(cutoff)
        if found is None or not found.holds(atoms, self.skin):
            self.searches += 1
            found = _Pairs.of(atoms, *self._search(atoms, cutoff + self.skin, False))
            self._found[cutoff] = found
        return found.within(atoms.positions, cutoff, half)


@dataclass(frozen=True)
class _Pairs:
    """Pairs of a frame, each from either end, in order.

    Attributes
    ----------
    atoms : the frame.
    i, j : (n,) atoms. images : (n, 3) cells by which the image of j is moved.
    shifts : (n, 3) the same in Å.
    once : (n,) mask that keeps each pair from one end.
    """

    atoms: Atoms
    i: np.ndarray
    j: np.ndarray
    images: np.ndarray
    shifts: np.ndarray
    once: np.ndarray

    @classmethod
    def of(cls, atoms: Atoms, i: np.ndarray, j: np.ndarray, images: np.ndarray) -> _Pairs:
        order = np.lexsort((*images.T[::-1], j, i))
        i, j, images = i[order], j[order], images[order]
        first = images[np.arange(len(images)), (images != 0).argmax(axis=1)]
        once = (i < j) | ((i == j) & (first > 0))
        frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        shifts = images.astype(float) @ atoms.cell.complete().array
        return cls(frame, i, j, images, shifts, once)

    def holds(self, atoms: Atoms, skin: float) -> bool:
        """Tell whether they hold all pairs of a frame that were not more than a skin farther."""
        old = self.atoms
        if (
            not np.array_equal(atoms.numbers, old.numbers)
            or not np.array_equal(atoms.cell.array, old.cell.array)
            or not np.array_equal(atoms.pbc, old.pbc)
        ):
            return False
        moved = np.square(atoms.positions - old.positions).sum(axis=1)
        return bool((4.0 * moved <= skin**2).all())  # not of positions that are no numbers

    def within(
        self, positions: np.ndarray, cutoff: float, half: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the pairs within a cutoff, atoms being where they are now."""
        vectors = positions[self.j] - positions[self.i] + self.shifts
        near = np.einsum("na,na->n", vectors, vectors) < cutoff**2
        if half:
            near &= self.once
        return self.i[near], self.j[near], self.images[near]
