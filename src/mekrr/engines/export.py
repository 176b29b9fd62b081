"""What can be exported, and why not."""

from __future__ import annotations

import os

from mekrr.errors import InputError, OutputError, first_line
from mekrr.models.on_backbone import OnBackbone
from mekrr.models.sparse_mekrr import SparseMEKRR


def export(
    model: OnBackbone, path: str | os.PathLike, *, dtype: str = "float32", std: bool = True
) -> str:
    """Write a fitted model to a file of metatomic; return in words what the file holds.

    Parameters
    ----------
    model : a fitted `SparseMEKRR`.
    path : file to write, .pt by custom.
    dtype : "float32", or "float64" for the network and the kernels. Positions, energies and forces
        are float64 in any case.
    std : whether engines can ask for standard deviations of energies. These make the file larger
        by two squares of the number of inducing atoms, and cost some kernels where asked for.

    Raises
    ------
    InputError
        If there is no such export of the model.
    BackboneError
        If its backbone cannot be compiled, or is not that of the fit.
    OutputError
        If metatomic is not installed.
    """
    if not isinstance(model, SparseMEKRR):
        raise InputError(
            f"{type(model).__name__} compares a frame with all training frames, which engines "
            "cannot be given; fit a SparseMEKRR, or use mekrr.Calculator"
        )
    potential = model.potential(dtype)
    if potential.atoms != "all" and "species" not in potential.atoms:
        raise InputError(
            f"atoms={potential.atoms!r} needs to know more of an atom than its species; fit with "
            "'all' or {'species': [...]}, or use mekrr.Calculator"
        )
    try:
        from mekrr.engines.metatomic import write
    except ImportError as error:
        raise OutputError(
            f"a file of metatomic needs its package ({first_line(error)}); "
            "pip install 'mekrr[metatomic]'"
        ) from error
    return write(potential, path, std=std)
