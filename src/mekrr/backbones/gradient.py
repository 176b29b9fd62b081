"""Forces and stress from outputs of a network, by one pass backwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms
from ase.stress import full_3x3_to_voigt_6_stress

from mekrr.backbones.graph import AtomGraph
from mekrr.errors import BackboneError


def forces_and_virial(
    graph: AtomGraph, outputs: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]
) -> tuple[np.ndarray, np.ndarray]:
    """Return forces (n_atoms, 3), eV/Å, and ∂E/∂ε (n_frames, 3, 3), eV, of an energy E.

    Parameters
    ----------
    graph : as `AtomGraph.differentiable` gives it, on which the outputs were computed.
    outputs : what E depends on, such as features. gradients : ∂E/∂ of each.

    Raises
    ------
    BackboneError
        If an output has no gradient, though there are edges for it to depend on.
    """
    assert graph.strain is not None
    if not len(graph.centre):  # atoms without neighbours: some networks have nothing to depend on
        return np.zeros(tuple(graph.positions.shape)), np.zeros(tuple(graph.strain.shape))
    found: tuple[torch.Tensor | None, ...] = (None,)
    if all(out.requires_grad for out in outputs):
        # Of one number: for gradients of several torch loads sympy, which takes a second.
        pairs = zip(outputs, gradients, strict=True)
        total = torch.stack([(out * g.to(out)).sum() for out, g in pairs]).sum()
        inputs = [graph.positions, graph.strain]
        found = torch.autograd.grad(total, inputs, allow_unused=True)
    of_positions, of_strain = found[0], found[-1]
    if of_positions is None or of_strain is None:
        raise BackboneError(
            "the backbone's features have no gradient, so there are no forces: predict energies "
            "alone, or compute them from graph.edge_vectors() by what torch differentiates"
        )
    return -of_positions.cpu().numpy(), of_strain.cpu().numpy()


def stress_of(atoms: Atoms, virial: np.ndarray) -> np.ndarray | None:
    """Return the stress (6,), eV/Å³, of a frame in ASE's sign and Voigt order, from ∂E/∂ε (3, 3).

    None for a frame without a cell.
    """
    if atoms.cell.rank < 3:
        return None
    return full_3x3_to_voigt_6_stress((virial + virial.T) / (2.0 * atoms.get_volume()))
