"""Checks of a frame's geometry: what would crash a neighbour search, or is no structure."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.cell import Cell

from mekrr.errors import DataError

SAME_PLACE = 0.5  # Å; no two nuclei of a physical frame are closer
ZERO_VOLUME = 1e-6  # Å³
LARGEST = 1e4  # Å
SEARCH = 2.0  # Å; a generous radius: the cost of a cell list grows as it shrinks
MOST_BOXES = 1e5  # of vesin's cell list, which beyond it coarsens them, all sides alike
MOST_VISITS = 1e8  # of boxes by boxes: a second or so; along open directions it looks into all
LEAST_BOXES = 3.0  # along each side after that; with less than one vesin divides by zero
HEAVIEST = 118


def check_structure(atoms: Atoms, where: str) -> None:
    """Raise a DataError, opened by ``where``, if no features can be had of a frame."""
    if len(atoms) == 0:
        raise DataError(f"{where}: has no atoms; remove the frame")
    if not np.isfinite(atoms.positions).all():
        atom = int(np.argwhere(~np.isfinite(atoms.positions))[0, 0])
        raise DataError(f"{where}: position of atom {atom} is not finite; remove the frame")
    if not np.isfinite(atoms.cell.array).all():
        raise DataError(f"{where}: cell is not finite; remove the frame or correct its cell")
    unknown = (atoms.numbers < 1) | (atoms.numbers > HEAVIEST)
    if unknown.any():
        atom = int(np.argmax(unknown))
        raise DataError(
            f"{where}: atom {atom} has atomic number {atoms.numbers[atom]}, which is no element; "
            "correct it or remove the frame"
        )
    # Of other sizes the neighbour search crashes or does not end.
    extent = max(np.abs(atoms.positions).max(), np.abs(atoms.cell.array).max())
    if extent > LARGEST:
        raise DataError(
            f"{where}: a coordinate or the cell is {extent:.3g} Å; none may be beyond "
            f"{LARGEST:g} Å: remove the frame or correct its unit"
        )
    _check_cell(atoms, where)
    close = _closest_pair(atoms)
    if close is not None:
        i, j, distance = close
        raise DataError(
            f"{where}: atoms {i} and {j} are at the same place or nearly so "
            f"({distance:.3f} Å apart); remove the frame or the doubled atom"
        )


def _check_cell(atoms: Atoms, where: str) -> None:
    """Refuse cells without volume, and those that a cell list cannot divide."""
    lengths = atoms.cell.lengths()
    # As vesin has it: vectors of open directions are unit vectors, orthogonal to the others.
    cell = Cell(np.where(atoms.pbc[:, None], atoms.cell, 0.0)).complete().array
    volume = abs(np.linalg.det(cell))
    if atoms.pbc.any() and (not lengths[atoms.pbc].all() or volume < ZERO_VOLUME):
        raise DataError(
            f"{where}: periodic, but its cell has no volume; set a cell or pbc to F F F"
        )
    if (lengths[atoms.pbc] < SAME_PLACE).any():
        raise DataError(
            f"{where}: cell of {lengths[atoms.pbc].min():.3g} Å, in which each atom meets its own "
            "image; correct the cell or its unit"
        )
    extent = np.maximum(1.01 * np.ptp(atoms.positions, axis=0), 1.0)
    if atoms.pbc.any():
        heights = volume / np.linalg.norm(
            np.cross(np.roll(cell, -1, axis=0), np.roll(cell, -2, axis=0)), axis=1
        )
        if (heights[atoms.pbc] < SAME_PLACE).any():
            raise DataError(
                f"{where}: opposite faces of the cell are {heights[atoms.pbc].min():.3g} Å apart, "
                "as its vectors are nearly in one plane; give a reduced cell "
                "(ase.geometry.minkowski_reduce) or correct it"
            )
        extent = np.where(atoms.pbc, heights, extent)
    boxes = np.maximum(np.trunc(extent / SEARCH), 1.0)
    excess = boxes.prod() / MOST_BOXES
    partly = atoms.pbc.any() and not atoms.pbc.all()
    visits = boxes.prod() * np.where(atoms.pbc, LEAST_BOXES, 2 * boxes).prod()
    if (excess > 1 and (partly or boxes.min() / np.cbrt(excess) < LEAST_BOXES)) or (
        partly and visits > MOST_VISITS
    ):
        raise DataError(
            f"{where}: {' × '.join(f'{length:.4g}' for length in extent)} Å, a needle or plate too "
            "large for a neighbour search; make its vacuum smaller"
        )


def _closest_pair(atoms: Atoms) -> tuple[int, int, float] | None:
    """Return the closest pair of atoms if closer than SAME_PLACE, periodic images included."""
    # Imported here: it brings torch along, which costs a job that only reads frames a second.
    from vesin import NeighborList

    search = NeighborList(cutoff=SEARCH, full_list=False, n_threads=1)
    i, j, d = search.compute(atoms.positions, atoms.cell.complete().array, atoms.pbc, "ijd")
    if len(d) and d.min() < SAME_PLACE:
        k = int(d.argmin())
        return int(i[k]), int(j[k]), float(d[k])
    return None
