"""Many frames by one potential."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms
from threadpoolctl import threadpool_limits

from mekrr.data.structure import check_structure
from mekrr.errors import DataError
from mekrr.models.potentials.base import Evaluation, Potential
from mekrr.progress import progress_bar
from mekrr.torch_settings import own_torch_settings


def evaluate_frames(
    potential: Potential, frames: Sequence[Atoms], *, std: bool = False, threads: int | None = None
) -> list[Evaluation]:
    """Return energy, forces and stress of each frame, with a progress bar.

    Parameters
    ----------
    std : whether the standard deviations of the energies are wanted too.
    threads : of the network and of linear algebra; None for those that they have.

    Raises
    ------
    DataError
        In one line that opens with the frame's number, if it cannot be used or has an element
        that the potential does not know.
    """
    for index, atoms in enumerate(frames):
        check_structure(atoms, f"frame {index}")
    found = []
    with (
        own_torch_settings(threads),
        threadpool_limits(threads, "blas"),
        progress_bar(len(frames), "forces", "frames") as bar,
    ):
        for index, atoms in enumerate(frames):
            try:
                found.append(potential.evaluate(atoms, std=std))
            except DataError as error:
                raise DataError(f"frame {index}: {error}") from error
            bar.update()
    return found
