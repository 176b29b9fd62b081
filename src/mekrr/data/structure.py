"""Checks of a frame's geometry: what would crash a neighbour search, or is no structure."""

from __future__ import annotations

import hashlib

import numpy as np
from ase import Atoms
from ase.cell import Cell

from mekrr.errors import DataError

SAME_PLACE = 0.5  # Å; no two nuclei of a physical frame are closer
ZERO_VOLUME = 1e-6  # Å³; Å², Å along two, one periodic directions
LARGEST = 1e4  # Å
SEARCH = 3.0  # Å; the cost of a cell list grows as it shrinks, that of its pairs as it grows
BOX = 2.0  # Å; less than the cutoff of any search
MOST_BOXES = 1e5  # of vesin's cell list, which beyond it coarsens them, all sides alike
MOST_VISITS = 1e8  # of boxes by boxes: a second or so; along open directions it looks into all
LEAST_BOXES = 3.0  # along each side after that; with less than one vesin divides by zero
HEAVIEST = 118


def digest_of(atoms: Atoms) -> bytes:
    """Return 32 bytes that the atoms and positions decide, wherever the frame stands.

    They seed what is drawn for a frame.
    """
    digest = hashlib.sha256(np.ascontiguousarray(atoms.numbers, dtype="<i8").tobytes())
    digest.update(np.ascontiguousarray(atoms.positions, dtype="<f8").tobytes())
    return digest.digest()


def check_structure(atoms: Atoms, where: str) -> None:
    """Raise a DataError, opened by ``where``, if no features can be had of a frame.

    Quick, as a calculator asks at every step of a simulation.
    """
    if len(atoms) == 0:
        raise DataError(f"{where}: has no atoms; remove the frame")
    positions, cell, pbc = atoms.positions, atoms.cell.array, atoms.pbc
    if not np.isfinite(positions).all():
        atom = int(np.argwhere(~np.isfinite(positions))[0, 0])
        raise DataError(f"{where}: position of atom {atom} is not finite; remove the frame")
    if not np.isfinite(cell).all():
        raise DataError(f"{where}: cell is not finite; remove the frame or correct its cell")
    unknown = (atoms.numbers < 1) | (atoms.numbers > HEAVIEST)
    if unknown.any():
        atom = int(np.argmax(unknown))
        raise DataError(
            f"{where}: atom {atom} has atomic number {atoms.numbers[atom]}, which is no element; "
            "correct it or remove the frame"
        )
    # Of other sizes the neighbour search crashes or does not end.
    extent = max(np.abs(positions).max(), np.abs(cell).max())
    if extent > LARGEST:
        raise DataError(
            f"{where}: a coordinate or the cell is {extent:.3g} Å; none may be beyond "
            f"{LARGEST:g} Å: remove the frame or correct its unit"
        )
    _check_cell(positions, cell, pbc, where)
    close = _closest_pair(atoms)
    if close is not None:
        i, j, distance = close
        raise DataError(
            f"{where}: atoms {i} and {j} are at the same place or nearly so "
            f"({distance:.3f} Å apart); remove the frame or the doubled atom"
        )


def _check_cell(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, where: str) -> None:
    """Refuse cells without volume, and those that a cell list cannot divide."""
    missing = ~cell.any(axis=1)
    if missing.sum() == 1 and not np.cross(*cell[~missing]).any():
        raise DataError(
            f"{where}: two vectors of the cell are along one line and the third is 0; correct "
            "them, or set that of an open direction to 0"
        )
    extent = np.maximum(1.01 * (positions.max(axis=0) - positions.min(axis=0)), 1.0)
    if pbc.any():
        # Before the cell is completed, which is impossible with vectors along one line.
        if np.linalg.svd(cell[pbc], compute_uv=False).prod() < ZERO_VOLUME:
            raise DataError(
                f"{where}: periodic, but its cell has no volume; set a cell or pbc to F F F"
            )
        lengths = np.linalg.norm(cell[pbc], axis=1)
        if lengths.min() < SAME_PLACE:
            raise DataError(
                f"{where}: cell of {lengths.min():.3g} Å, in which each atom meets its own "
                "image; correct the cell or its unit"
            )
        # As vesin has it: vectors of open directions are unit vectors, orthogonal to the others.
        whole = Cell(np.where(pbc[:, None], cell, 0.0)).complete().array
        heights = 1 / np.linalg.norm(np.linalg.inv(whole), axis=0)
        if heights[pbc].min() < SAME_PLACE:
            raise DataError(
                f"{where}: opposite faces of the cell are {heights[pbc].min():.3g} Å apart, "
                "as its vectors are nearly in one plane; give a reduced cell "
                "(ase.geometry.minkowski_reduce) or correct it"
            )
        extent = np.where(pbc, heights, extent)
    boxes = np.maximum(np.trunc(extent / BOX), 1.0)
    excess = boxes.prod() / MOST_BOXES
    partly = pbc.any() and not pbc.all()
    visits = boxes.prod() * np.where(pbc, LEAST_BOXES, 2 * boxes).prod()
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
