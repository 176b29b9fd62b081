"""What is asked of the derivatives of a backbone's features and energy, whichever it is."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import tolerances as tol
import torch
from torch.overrides import TorchFunctionMode

from mekrr.backbones.gradient import forces_and_virial

STEP = 1e-5  # Å, and as a strain
POTENTIAL_STEP = 2e-5  # the same, of central differences of fourth order
NOTHING = 1e-12  # eV/Å, what rounding leaves of nothing


@dataclass
class Projected:
    """Sums over all atoms of w·h of one layer, or of the energy if ``layer`` is None."""

    layer: int | None
    weights: torch.Tensor | None = None

    def of(self, backbone, graph):
        """The sum, and what is differentiated with its gradient. Nothing else is computed."""
        layers = [] if self.layer is None else [self.layer]
        output = backbone.forward(graph, layers, energy=self.layer is None)
        if self.layer is None:
            return output.energy.sum(), output.energy, torch.ones_like(output.energy)
        h = output.layers[self.layer]
        weights = self.weights.to(h).expand_as(h)
        return (h * weights).sum(), h, weights

    def derivatives(self, backbone, frames, device="cpu"):
        """Forces, frame after frame, and dE/dε."""
        graph = backbone.graph(frames).to(device).differentiable()
        _, output, weights = self.of(backbone, graph)
        return forces_and_virial(graph, [output], [weights])


def projections(backbone, widths, rng):
    """One of each layer, with random weights, and the energy."""
    found = [Projected(t, torch.as_tensor(rng.normal(size=d))) for t, d in widths.items()]
    return found + ([Projected(None)] if backbone.has_energy else [])


def assert_central_differences(projected, precise, frames, rng):
    """Along random directions of the positions and of the strain, in float64."""
    graph = precise.graph(frames)
    forces, virial = projected.derivatives(precise, frames)
    move, strain = rng.normal(size=forces.shape), rng.normal(size=virial.shape)

    def value(step_positions, step_strain):
        moved = replace(
            graph,
            positions=graph.positions + step_positions * torch.as_tensor(move),
            strain=step_strain * torch.as_tensor(strain),
        )
        result, output, _ = projected.of(precise, moved)
        assert output.dtype == torch.float64
        return result.item()

    with torch.no_grad():
        along_move = (value(STEP, 0.0) - value(-STEP, 0.0)) / (2 * STEP)
        along_strain = (value(0.0, STEP) - value(0.0, -STEP)) / (2 * STEP)
    assert -np.vdot(forces, move) == pytest.approx(along_move, rel=tol.DERIVATIVE), projected
    assert np.vdot(virial, strain) == pytest.approx(along_strain, rel=tol.DERIVATIVE), projected


def assert_close(found, expected, tolerance):
    """Forces and dE/dε, relative to the largest component of each."""
    for one, other in zip(found, expected, strict=True):
        atol = tolerance * np.abs(other).max() + NOTHING
        np.testing.assert_allclose(one, other, rtol=0, atol=atol)


class Operations(TorchFunctionMode):
    """Counts the operations of torch in a block."""

    count = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


def assert_nothing_needless(backbone, frames):
    """Features of a layer alone are those of all, for less work the earlier the layer is."""
    graph = backbone.graph(frames)

    def run(*wanted):
        with torch.inference_mode(), Operations() as operations:
            return backbone.forward(graph, *wanted), operations.count

    whole, most = run()
    counts = []
    for layer in backbone.layers:
        output, count = run([layer], False)
        assert output.energy is None
        assert output.atomic_energy is None
        assert list(output.layers) == [layer]
        assert torch.equal(output.layers[layer], whole.layers[layer])
        counts.append(count)
    assert counts == sorted(set(counts)), "a deeper layer costs more"
    every, count = run(None, False)
    assert list(every.layers) == list(backbone.layers)
    assert every.energy is None
    assert counts[-1] <= count < most if backbone.has_energy else count == most
    if backbone.has_energy:
        alone, _ = run([], True)
        assert alone.layers == {}
        assert torch.equal(alone.energy, whole.energy)


def assert_atomic_energies_add_up(output, graph):
    """To the energy of each frame, within 1e-6 eV per atom."""
    assert output.atomic_energy.shape == graph.species.shape
    total = torch.zeros(len(graph.n_atoms), dtype=torch.float64)
    total.index_add_(0, graph.frame, output.atomic_energy.double())
    difference = (total - output.energy.double()).abs() / graph.n_atoms
    assert difference.max() <= tol.ATOMIC_ENERGY


def slopes(potential, atoms, direction, strain):
    """Derivatives of the energy along a move of all atoms, and along a strain of the whole."""

    def energy(step, strained):
        moved = atoms.copy()
        if strained:
            moved.set_cell(atoms.cell.array @ (np.eye(3) + step * strain), scale_atoms=True)
        else:
            moved.positions += step * direction
        return potential.evaluate(moved).energy

    def slope(strained):
        near, far = (
            energy(s, strained) - energy(-s, strained) for s in (POTENTIAL_STEP, 2 * POTENTIAL_STEP)
        )
        return (8 * near - far) / (12 * POTENTIAL_STEP)

    return slope(strained=False), slope(strained=True)
