"""Molecular dynamics: energy conserved, taken up exactly, ended where it leaves the physics."""

import numpy as np
import pytest
from ase.build import fcc111
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.data import covalent_radii
from ase.geometry import get_distances

from mekrr.dynamics import engine
from mekrr.dynamics.engine import Settings, simulate
from mekrr.dynamics.limits import Limits, closeness
from mekrr.errors import DataError

WIDE = Limits(hottest=5.0, closest=0.3, drift=100.0)


@pytest.fixture
def slab():
    atoms = fcc111("Cu", (2, 2, 3), vacuum=6.0, periodic=True)
    atoms.set_constraint(FixAtoms(indices=range(4)))
    return atoms


def settings(ensemble="NVE", **changed):
    usual = {"temperature": 300.0, "timestep": 2.0, "friction": 0.02, "steps": 60}
    return Settings(ensemble, **(usual | {"every": 5, "frames_every": 20, "seed": 3} | changed))


class Broken(EMT):
    """EMT that does as it is told after some evaluations."""

    def __init__(self, after, fault):
        super().__init__()
        self.after, self.fault, self.count = after, fault, 0

    def calculate(self, *arguments):
        super().calculate(*arguments)
        self.count += 1
        if self.count > self.after:
            self.fault(self.results)


def test_energy_is_conserved_to_the_square_of_the_time_step(slab, tmp_path):
    spread = []
    for timestep in (5.0, 2.5):
        n = round(150 / timestep)
        how = settings(timestep=timestep, steps=n, every=1, frames_every=n)
        log = simulate(slab, EMT(), how, WIDE, tmp_path / "state.npz").log
        assert len(log) == n + 1
        spread.append(log["total_energy"].std())
        assert log["potential_energy"].std() > 20 * spread[-1]
    assert spread[0] / spread[1] == pytest.approx(4.0, rel=0.4)


def test_log_and_frames_are_what_the_calculator_says(slab, tmp_path):
    run = simulate(slab, EMT(), settings(), WIDE, tmp_path / "state.npz")
    log, frames = run.log, run.labelled(slab)
    assert log["time_fs"].tolist() == [10.0 * k for k in range(13)]
    assert [atoms.info["time_fs"] for atoms in frames] == [0.0, 40.0, 80.0, 120.0]
    assert set(log["left"]) == {""}
    for atoms in frames:
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        row = log.set_index("time_fs").loc[atoms.info["time_fs"]]
        assert row["potential_energy"] == energy
        atoms.calc = EMT()
        assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-9)
        np.testing.assert_allclose(atoms.positions[:4], slab.positions[:4], atol=1e-12)
    assert np.ptp([atoms.positions[8:] for atoms in frames], axis=0).max() > 0.05


def test_thermostat_holds_the_temperature(slab, tmp_path):
    how = settings("NVT", timestep=5.0, steps=300, every=1, frames_every=300, friction=0.05)
    log = simulate(slab, EMT(), how, WIDE, tmp_path / "state.npz").log
    assert log["temperature_K"][60:].mean() == pytest.approx(300.0, rel=0.15)


def test_all_calculators_begin_alike(slab, tmp_path):
    one = simulate(slab, EMT(), settings(), WIDE, tmp_path / "a.npz")
    other = simulate(slab, EMT(asap_cutoff=True), settings(), WIDE, tmp_path / "b.npz")
    kinetic = [run.rows[0].total_energy - run.rows[0].potential_energy for run in (one, other)]
    assert kinetic[0] == pytest.approx(kinetic[1], abs=1e-12)
    again = simulate(slab, EMT(), settings(seed=4), WIDE, tmp_path / "c.npz")
    assert again.rows[0].total_energy != one.rows[0].total_energy


class Killed(Exception):
    """What ends the process."""


def kill(results):
    raise Killed


@pytest.mark.parametrize("ensemble", ["NVE", "NVT"])
def test_run_that_was_killed_is_the_unbroken_one(ensemble, slab, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "PAUSE", 0.0)
    how, path = settings(ensemble), tmp_path / "state.npz"
    whole = simulate(slab, EMT(), how, WIDE, tmp_path / "other.npz")
    with pytest.raises(Killed):
        simulate(slab, Broken(38, kill), how, WIDE, path)
    steps = []
    resumed = simulate(slab, EMT(), how, WIDE, path, steps.append)
    assert steps[0] == 35
    assert sum(steps) == 60
    np.testing.assert_allclose(resumed.rows, whole.rows, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(resumed.frames, whole.frames, atol=1e-9)
    np.testing.assert_allclose(resumed.forces, whole.forces, atol=1e-7)
    assert resumed.times == whole.times


@pytest.mark.parametrize("changed", ["settings", "start", "potential"])
def test_checkpoint_of_another_run_is_passed_over(changed, slab, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(engine, "PAUSE", 0.0)
    path, how, calculator = tmp_path / "state.npz", settings(), EMT()
    simulate(slab, EMT(), how, WIDE, path)
    if changed == "settings":
        how = settings(seed=4)
    elif changed == "start":
        slab.positions[-1, 2] += 0.1
    else:
        calculator = EMT(asap_cutoff=True)
    steps = []
    simulate(slab, calculator, how, WIDE, path, steps.append)
    assert steps[0] == 0
    assert "checkpoint of another run" in caplog.text


def test_damaged_checkpoint_is_named(slab, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "PAUSE", 0.0)
    path = tmp_path / "state.npz"
    simulate(slab, EMT(), settings(), WIDE, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"state\.npz: damaged checkpoint .*; delete it"):
        simulate(slab, EMT(), settings(), WIDE, path)


def nan(results):
    results["forces"] = np.full((12, 3), np.nan)


def push(results):
    results["forces"] = results["forces"] + 30.0


def lift(results):
    results["energy"] += 12 * 0.2


@pytest.mark.parametrize(
    ("fault", "limits", "left"),
    [
        (nan, WIDE, "not finite"),
        (push, WIDE, "too hot"),
        (lift, WIDE, "energy not conserved"),
        (lambda results: None, Limits(5.0, 0.98, 100.0), "atoms too close"),
    ],
)
def test_run_ends_where_it_leaves_the_physics(fault, limits, left, slab, tmp_path):
    run = simulate(slab, Broken(30, fault), settings(steps=400), limits, tmp_path / "state.npz")
    assert run.left == left
    assert set(run.log["left"][:-1]) == {""}
    assert run.log["left"].iloc[-1] == left
    assert 0 < run.log["time_fs"].iloc[-1] < 800
    assert len(run.frames) == 1 + int((run.log["time_fs"].iloc[-1] - 1e-6) // 40)


def test_thermostat_may_change_the_energy(slab, tmp_path):
    run = simulate(slab, Broken(30, lift), settings("NVT"), WIDE, tmp_path / "state.npz")
    assert run.left == ""


def test_run_ends_where_the_potential_refuses(slab, tmp_path):
    def refuse(results):
        raise DataError("frame: atoms 3 and 4 are on top of each other; correct it")

    run = simulate(slab, Broken(31, refuse), settings(), WIDE, tmp_path / "state.npz")
    assert run.left.startswith("no energy: frame: atoms 3 and 4")
    assert run.log["time_fs"].iloc[-1] == 60.0


def test_closeness_is_the_least_share_over_periodic_images(slab, rng):
    slab.positions += 0.2 * rng.normal(size=slab.positions.shape)
    images = slab.repeat((3, 3, 1))
    distances = get_distances(slab.positions + slab.cell[0] + slab.cell[1], images.positions)[1]
    least = distances[distances > 1e-9].min()
    assert closeness(slab) == pytest.approx(least / (2 * covalent_radii[29]))
