"""Frames that a potential is not certain of, kept for labelling."""

from __future__ import annotations

import io
import os

from ase import Atoms

from mekrr.files import append_text


def append_frame(path: str | os.PathLike, atoms: Atoms, energy_std: float) -> None:
    """Append a frame to a file of extended XYZ, whole or not at all.

    It has no energy and no forces, which nobody shall take for labels, but ``energy_std`` in eV.
    """
    from ase.io import write

    frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    frame.info["energy_std"] = energy_std
    text = io.StringIO()
    write(text, frame, format="extxyz")
    append_text(path, text.getvalue())
