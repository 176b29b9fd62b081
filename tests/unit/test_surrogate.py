"""The embedded surrogate is what its description says, and its generator works."""

import ase.io
import numpy as np
import pytest
import tolerances as tol
import yaml
from ase import Atoms
from ase.calculators.lj import LennardJones
from samples import ROOT

from mekrr.data.frames import read_frames, verify_checksum
from mekrr.surrogates.fe_n2 import DistanceRestraint, Steering, add_n2, build_slab, simulate

ENTRY = yaml.safe_load((ROOT / "config/datasets.yaml").read_text())["datasets"]["fe-n2-surrogate"]
RECIPE = yaml.safe_load((ROOT / "config/surrogates.yaml").read_text())["surrogates"][
    "fe-n2-surrogate"
]


@pytest.fixture(scope="module")
def frames():
    return read_frames(ROOT / ENTRY["path"])


def bond(atoms):
    return atoms.get_distance(45, 46, mic=True)


def test_file_is_the_registered_one():
    verify_checksum(ROOT / ENTRY["path"], ENTRY["sha256"])
    assert (ROOT / ENTRY["path"]).stat().st_size < 2e6


def test_runs_follow_the_recipe(frames):
    n_runs, dynamics = len(RECIPE["runs"]), RECIPE["dynamics"]
    per_run = dynamics["steps"] // dynamics["every"]
    assert [atoms.info["run"] for atoms in frames] == list(np.repeat(range(n_runs), per_run))
    assert {atoms.get_chemical_formula() for atoms in frames} == {"Fe45N2"}


def test_steered_runs_dissociate_and_stay_so_after_release(frames):
    """The last frames are past the steering: there DIEP alone holds the atoms apart."""
    steering = RECIPE["steering"]
    after = int((steering["start"] + steering["ramp"]) // RECIPE["dynamics"]["every"]) + 2
    for number, run in enumerate(RECIPE["runs"]):
        lengths = np.array([bond(a) for a in frames if a.info["run"] == number])
        if run["steered"]:
            assert lengths[:10].max() < 1.3
            assert lengths[after:].min() > 2.0
        elif number < 5:
            assert lengths.max() < 1.4


def test_lowest_layers_never_move(frames):
    """Fixed atoms: their distances are those of the slab's construction throughout."""
    fixed = build_slab(**RECIPE["slab"]).constraints[0].index
    start = frames[0].positions[fixed]
    for atoms in frames[::20]:
        np.testing.assert_allclose(atoms.positions[fixed], start, atol=1e-6)


def test_labels_are_unbiased_diep_energies(frames):
    from diep.pretrained import make_calculator

    calculator = make_calculator(stress=False)
    for atoms in frames[100:300:90]:
        fresh = calculator.get_potential_energy(atoms)
        assert atoms.get_potential_energy() == pytest.approx(fresh, abs=tol.RELABEL)
        forces = calculator.get_forces(atoms)
        np.testing.assert_allclose(atoms.get_forces(), forces, atol=5 * tol.RELABEL)


def test_restraint_force_is_the_derivative_of_its_energy():
    atoms = Atoms("N2", positions=[[0, 0, 0], [0.3, 0.2, 1.1]])
    restraint = DistanceRestraint(0, 1, stiffness=40.0)
    forces = np.zeros((2, 3))
    restraint.adjust_forces(atoms, forces)
    assert not forces.any(), "off until it has a target"
    restraint.target = 1.6
    restraint.adjust_forces(atoms, forces)
    step = 1e-5
    for k in range(3):
        ahead, behind = atoms.copy(), atoms.copy()
        ahead.positions[1, k] += step
        behind.positions[1, k] -= step
        energies = [restraint.adjust_potential_energy(a) for a in (ahead, behind)]
        assert forces[1, k] == pytest.approx(-(energies[0] - energies[1]) / (2 * step), rel=1e-6)
    np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-12)


def test_steering_schedule():
    steering = Steering(start=200.0, ramp=700.0, d_from=1.15, d_to=2.2, stiffness=60.0)
    assert steering.target(199.0) is None
    assert steering.target(200.0) == pytest.approx(1.15)
    assert steering.target(550.0) == pytest.approx(1.675)
    assert steering.target(901.0) is None


def test_simulation_is_reproducible_and_labels_leave_the_bias_out(tmp_path):
    slab = build_slab(2.864, (1, 1, 5), 6.0, 2)
    atoms = add_n2(slab, [[0.0, 0.0, 2.0], [0.0, 0.0, 3.1]])
    settings = {
        "temperature": 300.0,
        "timestep": 1.0,
        "friction": 0.02,
        "equilibration": 2,
        "steps": 12,
        "every": 4,
        "seed": 3,
        "steering": Steering(0.0, 10.0, 1.1, 1.3, 50.0),
    }
    calculator = LennardJones(sigma=1.0, epsilon=0.01, rc=3.0)
    first = simulate(atoms, calculator, **settings)
    second = simulate(atoms, calculator, **settings)
    assert [a.info["time_fs"] for a in first] == [0.0, 4.0, 8.0]
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.positions, two.positions)
        fresh = one.copy()
        fresh.calc = LennardJones(sigma=1.0, epsilon=0.01, rc=3.0)
        assert one.get_potential_energy() == pytest.approx(fresh.get_potential_energy())
    assert not np.allclose(first[0].positions, first[-1].positions)
    ase.io.write(tmp_path / "a.extxyz", first)
