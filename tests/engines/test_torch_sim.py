"""torch-sim: several replicas in one batch, by a file of metatomic."""

import numpy as np
import pytest
from ase.stress import voigt_6_to_full_3x3_stress
from exported import alloy
from tolerances import DRIFT, ENGINE

ts = pytest.importorskip("torch_sim", reason="needs Python 3.12 or newer")
metatomic_torchsim = pytest.importorskip("metatomic_torchsim")


@pytest.fixture
def batched(exported):
    return metatomic_torchsim.MetatomicModel(exported, device="cpu", uncertainty_threshold=None)


@pytest.fixture
def replicas(start):
    """Frames of different sizes."""
    return [start, alloy(1).copy(), alloy(3, 1).copy()]


def compare(state, results, replicas, calculator):
    ends = np.cumsum([0, *(len(atoms) for atoms in replicas)])
    for k, atoms in enumerate(state.to_atoms()):
        own = slice(ends[k], ends[k + 1])
        assert results["energy"][k].item() == pytest.approx(
            calculator.get_property("energy", atoms), abs=ENGINE
        )
        np.testing.assert_allclose(
            results["forces"][own], calculator.get_property("forces", atoms), rtol=0, atol=ENGINE
        )
        expected = voigt_6_to_full_3x3_stress(calculator.get_property("stress", atoms))
        np.testing.assert_allclose(results["stress"][k], expected, rtol=0, atol=ENGINE)


def test_a_batch(batched, replicas, calculator):
    state = ts.initialize_state(replicas, device=batched.device, dtype=batched.dtype)
    compare(state, batched(state), replicas, calculator)


def test_nve_of_several_replicas(batched, replicas, calculator):
    """Energies, forces and stress after each of 20 steps, and how well each energy is kept."""
    unit = ts.units.MetalUnits
    state = ts.initialize_state(replicas, device=batched.device, dtype=batched.dtype)
    state.rng = 1
    state = ts.nve_init(state, batched, kT=300 * unit.temperature)
    totals = []
    for step in range(21):
        if step:
            state = ts.nve_step(state, batched, dt=0.001 * unit.time)
        kinetic = 0.5 * (state.momenta**2).sum(dim=1) / state.masses
        of_replicas = kinetic.new_zeros(len(replicas)).index_add(0, state.system_idx, kinetic)
        totals.append((state.energy + of_replicas).tolist())
        if step % 5 == 0:
            compare(state, batched(state), replicas, calculator)
    sizes = [len(atoms) for atoms in replicas]
    assert (np.ptp(totals, axis=0) / sizes < DRIFT).all()
