"""What can be exported, and why not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mekrr.errors import InputError, OutputError, first_line
from mekrr.models.on_backbone import OnBackbone
from mekrr.models.sparse_mekrr import SparseMEKRR
from mekrr.packages import install_extra


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
    with own_index_select():
        try:
            from mekrr.engines.metatomic import write
        except ImportError as error:
            raise OutputError(
                f"a file of metatomic needs its package ({first_line(error)}); "
                f"{install_extra('metatomic')}"
            ) from error
        return write(potential, path, std=std)


@contextmanager
def own_index_select() -> Iterator[None]:
    """Let torch have its own `torch.index_select`, which alone TorchScript knows.

    torch_geometric, once it is imported, puts another in its place; metatomic compiles calls of it.
    """
    patch = sys.modules.get("torch_geometric.hash_tensor")
    if patch is None:
        yield
        return
    import torch

    replaced = torch.index_select
    torch.index_select = patch._old_index_select
    try:
        yield
    finally:
        torch.index_select = replaced
