"""Molecular dynamics: energy conserved, taken up exactly, ended where it leaves the physics."""

import resource

import ase.io
import numpy as np
import pandas as pd
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc111
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms, FixCartesian, Hookean
from ase.data import covalent_radii
from ase.geometry import get_distances

from mekrr.dynamics import engine, limits
from mekrr.dynamics.engine import simulate
from mekrr.dynamics.limits import Limits, closeness
from mekrr.dynamics.settings import Settings, draw_momenta
from mekrr.dynamics.sinks import Files, Record
from mekrr.errors import DataError, OtherRunError, OutputError, UncertaintyError
from mekrr.study.experiments.molecular_dynamics.runs import log_of, recorded

WIDE = Limits(hottest=5.0, closest=0.3, drift=100.0)
ENSEMBLES = ("nve", "langevin", "bussi")


@pytest.fixture
def slab():
    atoms = fcc111("Cu", (2, 2, 3), vacuum=6.0, periodic=True)
    atoms.set_constraint(FixAtoms(indices=range(4)))
    return atoms


def settings(ensemble="nve", **changed):
    usual = {"temperature": 300.0, "timestep": 2.0, "friction": 0.02, "time_constant": 50.0}
    usual |= {"steps": 60, "every": 5, "frames_every": 20, "seed": 3}
    return Settings(ensemble, **(usual | changed))


class Springs(Calculator):
    """Each atom bound to its place: the same bits whatever was computed before."""

    implemented_properties = ("energy", "forces")
    strength = 3.0  # eV/Å²

    def __init__(self, places):
        super().__init__()
        self.places = places.copy()

    def calculate(self, *arguments):
        super().calculate(*arguments)
        moved = self.atoms.positions - self.places
        energy = 0.5 * self.strength * np.square(moved).sum()
        self.results = {"energy": energy, "forces": -self.strength * moved, "energy_std": 0.1}


def broken(kind):
    """A calculator of a kind that does as it is told after some evaluations."""

    class Broken(kind):
        def __init__(self, after, fault, *arguments):
            super().__init__(*arguments)
            self.after, self.fault, self.count = after, fault, 0

        def calculate(self, *arguments):
            super().calculate(*arguments)
            self.count += 1
            if self.count > self.after:
                self.fault(self.results)

    return Broken


Broken, BrokenSprings = broken(EMT), broken(Springs)


def run(start, calculator, how, path, within=WIDE):
    """What a run left in memory, and how it ended."""
    record = Record()
    return record, simulate(start, calculator, how, within, record, path)


class InFiles:
    """A run that writes files, in a folder."""

    def __init__(self, folder):
        folder.mkdir()
        self.log, self.frames = folder / "run.csv", folder / "run.extxyz"
        self.checkpoint = folder / "run.npz"

    def run(self, start, calculator, how, **more):
        sink = Files(self.log, self.frames)
        return simulate(start, calculator, how, WIDE, sink, self.checkpoint, **more)

    def bytes(self):
        return self.log.read_bytes(), self.frames.read_bytes()


@pytest.fixture
def in_files(tmp_path):
    """Runs that write files, each in a folder of its own."""
    return lambda name: InFiles(tmp_path / name)


def test_energy_is_conserved_to_the_square_of_the_time_step(slab, tmp_path):
    spread = []
    for timestep in (5.0, 2.5):
        n = round(150 / timestep)
        how = settings(timestep=timestep, steps=n, every=1, frames_every=n)
        log = run(slab, EMT(), how, tmp_path / f"{n}.npz")[0].log()
        assert len(log) == n + 1
        spread.append(log["total_energy"].std())
        assert log["potential_energy"].std() > 20 * spread[-1]
    assert spread[0] / spread[1] == pytest.approx(4.0, rel=0.4)


def test_log_and_frames_are_what_the_calculator_says(slab, tmp_path):
    record, ending = run(slab, EMT(), settings(), tmp_path / "state.npz")
    log, frames = log_of(record, ending), record.labelled(slab)
    assert log["time_fs"].tolist() == [10.0 * k for k in range(13)]
    assert [atoms.info["time_fs"] for atoms in frames] == [0.0, 40.0, 80.0, 120.0]
    assert set(log["left"]) == {""}
    assert (ending.begun, ending.done) == (0, 60)
    for atoms in frames:
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        row = log.set_index("time_fs").loc[atoms.info["time_fs"]]
        assert row["potential_energy"] == energy
        atoms.calc = EMT()
        assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-9)
        np.testing.assert_allclose(atoms.positions[:4], slab.positions[:4], atol=1e-12)
    assert np.ptp([atoms.positions[8:] for atoms in frames], axis=0).max() > 0.05


def test_files_hold_what_memory_would(slab, tmp_path, in_files):
    slab.set_constraint([*slab.constraints, FixCartesian([11], (False, False, True))])
    slab.set_masses([63.5] * 11 + [107.9])
    files, calculator = in_files("a"), Springs(slab.positions)
    files.run(slab, calculator, settings())
    record, _ = run(slab, calculator, settings(), tmp_path / "state.npz")
    log = pd.read_csv(files.log, dtype=str).astype(float)
    pd.testing.assert_frame_equal(log, record.log(), check_exact=True)
    assert set(log["energy_std"]) == {0.1}
    written = ase.io.read(files.frames, ":")
    for atoms, own in zip(written, record.labelled(slab), strict=True):
        assert atoms.info["time_fs"] == own.info["time_fs"]
        assert atoms.info["energy_std"] == 0.1
        assert atoms.get_potential_energy() == own.get_potential_energy()
        np.testing.assert_allclose(atoms.positions, own.positions, atol=1e-8)
        raw = atoms.get_forces(apply_constraint=False)
        np.testing.assert_allclose(raw, own.get_forces(), atol=1e-8)
        assert atoms.cell.tolist() == slab.cell.tolist()
        assert atoms.get_masses().tolist() == slab.get_masses().tolist()
        total = log.set_index("time_fs").loc[atoms.info["time_fs"], "total_energy"]
        assert atoms.get_total_energy() == pytest.approx(total, abs=1e-6)
        for moved in (atoms, slab):
            moved.set_momenta(np.ones((12, 3)))
        assert atoms.get_momenta().tolist() == slab.get_momenta().tolist()
    assert len({atoms.positions[11, 2] for atoms in written}) == 1
    assert len({atoms.positions[11, 0] for atoms in written}) == len(written)


def test_no_standard_deviation_is_no_number(slab, in_files):
    files = in_files("a")
    files.run(slab, EMT(), settings(steps=5))
    assert pd.read_csv(files.log)["energy_std"].isna().all()
    assert "energy_std" not in ase.io.read(files.frames).info


@pytest.mark.parametrize("ensemble", ["langevin", "bussi"])
def test_thermostat_reaches_the_temperature(ensemble, slab, tmp_path):
    """And the kinetic energy of the 24 degrees of freedom spreads as a canonical one does."""
    draw_momenta(slab, 50.0, np.random.default_rng(0))
    how = settings(ensemble, timestep=5.0, steps=5000, every=5, frames_every=5000, friction=0.05)
    record, _ = run(slab, Springs(slab.positions), how, tmp_path / "state.npz")
    temperature = record.log()["temperature_K"]
    assert temperature[0] < 100.0
    assert temperature[50:].mean() == pytest.approx(300.0, rel=0.05)
    assert temperature[50:].std() == pytest.approx(300.0 * np.sqrt(2 / 24), rel=0.2)


def test_momenta_of_the_start_are_kept(slab, tmp_path):
    """But for those of atoms that are fixed."""
    slab.set_momenta(np.full((12, 3), 0.5), apply_constraint=False)
    record, _ = run(slab, EMT(), settings(steps=5), tmp_path / "state.npz")
    kinetic = record.rows[0].total_energy - record.rows[0].potential_energy
    assert kinetic == pytest.approx(8 * 3 * 0.25 / (2 * slab.get_masses()[0]))


def test_momenta_that_are_drawn_have_the_temperature(slab):
    atoms = slab.repeat((8, 8, 1))
    draw_momenta(atoms, 500.0, np.random.default_rng(1))
    assert not atoms.get_momenta()[atoms.constraints[0].index].any()
    assert atoms.get_temperature() == pytest.approx(500.0, rel=3 * np.sqrt(2 / (3 * 512)))
    again = slab.copy()
    draw_momenta(again, 500.0, np.random.default_rng(2))
    spread = np.random.default_rng(2).standard_normal((12, 3))
    own = spread * np.sqrt(again.get_masses() * units.kB * 500.0)[:, None]
    np.testing.assert_allclose(again.get_momenta()[4:], own[4:], rtol=1e-12)


def test_all_calculators_begin_alike(slab, tmp_path):
    one, _ = run(slab, EMT(), settings(), tmp_path / "a.npz")
    other, _ = run(slab, EMT(asap_cutoff=True), settings(), tmp_path / "b.npz")
    kinetic = [r.rows[0].total_energy - r.rows[0].potential_energy for r in (one, other)]
    assert kinetic[0] == pytest.approx(kinetic[1], abs=1e-12)
    again, _ = run(slab, EMT(), settings(seed=4), tmp_path / "c.npz")
    assert again.rows[0].total_energy != one.rows[0].total_energy


class Killed(Exception):
    """What ends the process."""


def kill(results):
    raise Killed


def interrupt(results):
    raise KeyboardInterrupt


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_run_that_was_killed_is_the_unbroken_one(ensemble, slab, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "PAUSE", 0.0)
    how, path = settings(ensemble), tmp_path / "state.npz"
    whole, _ = run(slab, EMT(), how, tmp_path / "other.npz")
    with pytest.raises(Killed):
        run(slab, Broken(38, kill), how, path)
    steps = []
    resumed, ending = recorded(slab, EMT(), how, WIDE, path, steps.append)
    assert (ending.begun, ending.done) == (37, 60)
    assert steps[0] == 37
    assert sum(steps) == 60
    np.testing.assert_allclose(resumed.rows, whole.rows, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(resumed.frames, whole.frames, atol=1e-9)
    np.testing.assert_allclose(resumed.forces, whole.forces, atol=1e-7)
    assert resumed.times == whole.times


@pytest.mark.parametrize("ensemble", ENSEMBLES)
@pytest.mark.parametrize("pause", [0.0, 30.0])
def test_files_of_a_broken_run_are_those_of_the_unbroken_one(
    ensemble, pause, slab, in_files, monkeypatch
):
    """Killed, with more in its files than the checkpoint knows; interrupted; with more steps."""
    monkeypatch.setattr(engine, "PAUSE", pause)
    how, places = settings(ensemble), slab.positions
    whole, parts = in_files("whole"), in_files("parts")
    whole.run(slab, Springs(places), how)
    with pytest.raises(Killed):
        parts.run(slab, BrokenSprings(23, kill, places), how)
    for path in (parts.log, parts.frames):
        path.write_bytes(path.read_bytes() + b"1.0,half a li")
    with pytest.raises(KeyboardInterrupt):
        parts.run(slab, BrokenSprings(25, interrupt, places), how)
    assert parts.run(slab, Springs(places), settings(ensemble, steps=52)).done == 52
    ending = parts.run(slab, Springs(places), how)
    assert (ending.begun, ending.done, ending.left) == (52, 60, "")
    assert parts.bytes() == whole.bytes()
    assert len(parts.log.read_bytes().splitlines()) == 1 + 13


def test_a_checkpoint_does_not_grow(slab, in_files):
    files = in_files("a")
    files.run(slab, Springs(slab.positions), settings(steps=10))
    size = files.checkpoint.stat().st_size
    files.run(slab, Springs(slab.positions), settings(steps=400))
    assert files.checkpoint.stat().st_size < 1.1 * size


def test_a_run_that_is_done_is_left_alone(slab, in_files):
    files = in_files("a")
    files.run(slab, Springs(slab.positions), settings())
    before = files.bytes()
    ending = files.run(slab, Springs(slab.positions), settings())
    assert (ending.begun, ending.done, files.bytes()) == (60, 60, before)


CHANGES = {
    "seed (3, here 4)": lambda slab, how: how.update(seed=4),
    "ensemble (nve, here bussi)": lambda slab, how: how.update(ensemble="bussi"),
    "positions of the start": lambda slab, how: slab.translate([0.0, 0.0, 0.1]),
    "velocities of the start": lambda slab, how: slab.set_momenta(np.ones((12, 3))),
    "cell": lambda slab, how: slab.cell.__imul__(1.01),
    "masses": lambda slab, how: slab.set_masses([63.0] * 12),
    "constraints": lambda slab, how: slab.set_constraint(),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_checkpoint_of_another_run_is_refused(changed, slab, in_files):
    files, how = in_files("a"), {}
    files.run(slab, Springs(slab.positions), settings())
    before = files.bytes(), files.checkpoint.read_bytes()
    CHANGES[changed](slab, how)
    with pytest.raises(OtherRunError, match=r"run\.npz: checkpoint of another run, by its") as stop:
        files.run(slab, Springs(slab.positions), settings(**how))
    assert f"by its {changed}" in str(stop.value)
    assert (files.bytes(), files.checkpoint.read_bytes()) == before


def test_checkpoint_of_another_potential_or_of_more_steps_is_refused(slab, in_files):
    files, places = in_files("a"), slab.positions
    files.run(slab, Springs(places), settings(), origin={"model": "a"})
    with pytest.raises(OtherRunError, match=r"by its energy of the start"):
        files.run(slab, Springs(places + 0.01), settings(), origin={"model": "a"})
    with pytest.raises(OtherRunError, match=r"by its model \(a, here b\)"):
        files.run(slab, Springs(places), settings(), origin={"model": "b"})
    with pytest.raises(OtherRunError, match="longer run, at step 60 of 50"):
        files.run(slab, Springs(places), settings(steps=50), origin={"model": "a"})


@pytest.mark.parametrize("begun", [False, True])
def test_two_processes_do_not_write_the_same_run(begun, slab, in_files, monkeypatch):
    """The one that meets a checkpoint of the other leaves everything to it."""
    monkeypatch.setattr(engine, "PAUSE", 0.0)
    files, whole, places = in_files("a"), in_files("whole"), slab.positions
    whole.run(slab, Springs(places), settings())
    if begun:
        files.run(slab, Springs(places), settings(steps=10))

    def other(results):
        if len(calls := [*slow.calls, 1]) == 1:
            files.run(slab, Springs(places), settings())
        slow.calls = calls

    slow = BrokenSprings(15, other, places)
    slow.calls = []
    with pytest.raises(OutputError, match=r"run\.npz: another process has written or deleted it"):
        files.run(slab, slow, settings())
    assert files.bytes() == whole.bytes()
    assert files.run(slab, Springs(places), settings()).begun == 60


def test_springs_that_hold_atoms_are_no_part_of_labels(slab, in_files):
    files = in_files("a")
    slab.set_constraint(Hookean(11, slab.positions[11] + [0, 0, 1], rt=0.1, k=5.0))
    files.run(slab, Springs(slab.positions), settings(steps=5))
    frame, log = ase.io.read(files.frames), pd.read_csv(files.log)
    assert frame.get_potential_energy() == 0.0
    assert log["potential_energy"][0] == pytest.approx(0.5 * 5.0 * 0.9**2)


def test_files_without_a_checkpoint_are_never_overwritten(slab, in_files):
    files = in_files("a")
    files.run(slab, Springs(slab.positions), settings())
    files.checkpoint.unlink()
    before = files.bytes()
    with pytest.raises(OutputError, match=r"run\.csv: is there, without a checkpoint"):
        files.run(slab, Springs(slab.positions), settings())
    assert files.bytes() == before
    assert not files.checkpoint.exists()


def test_files_shorter_than_the_checkpoint_says_are_refused(slab, in_files):
    files = in_files("a")
    files.run(slab, Springs(slab.positions), settings())
    files.frames.write_bytes(files.frames.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"run\.extxyz: has \d+ bytes, fewer than the \d+"):
        files.run(slab, Springs(slab.positions), settings(steps=100))


@pytest.mark.parametrize(("room", "name"), [(1000, "npz"), (40_000, "extxyz")])
def test_a_full_disk_is_named_and_the_run_goes_on(room, name, slab, in_files):
    files, whole, places = in_files("a"), in_files("whole"), slab.positions
    how = settings(frames_every=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(OSError, match=rf"File too large: '.*run\.{name}'"):
            files.run(slab, Springs(places), how)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    files.run(slab, Springs(places), how)
    whole.run(slab, Springs(places), how)
    assert files.bytes() == whole.bytes()


@pytest.mark.parametrize("changed", ["settings", "start", "potential"])
def test_the_study_passes_over_a_checkpoint_of_another_run(changed, slab, tmp_path, caplog):
    path, how, calculator = tmp_path / "state.npz", settings(), EMT()
    run(slab, EMT(), how, path)
    if changed == "settings":
        how = settings(steps=50)
    elif changed == "start":
        slab.positions[-1, 2] += 0.1
    else:
        calculator = EMT(asap_cutoff=True)
    steps = []
    record, _ = recorded(slab, calculator, how, WIDE, path, steps.append)
    assert steps[0] == 0
    assert len(record.rows) == 1 + how.steps // 5
    assert "it begins anew" in caplog.text


def test_damaged_checkpoint_is_named(slab, tmp_path):
    path = tmp_path / "state.npz"
    run(slab, EMT(), settings(), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"state\.npz: damaged checkpoint .*; delete it"):
        run(slab, EMT(), settings(), path)


def nan(results):
    results["forces"] = np.full((12, 3), np.nan)


def push(results):
    results["forces"] = results["forces"] + 30.0


def lift(results):
    results["energy"] += 12 * 0.2


@pytest.mark.parametrize(
    ("fault", "within", "left"),
    [
        (nan, WIDE, "not finite"),
        (push, WIDE, "too hot"),
        (lift, WIDE, "energy not conserved"),
        (lambda results: None, Limits(5.0, 0.98, 100.0), "atoms too close"),
    ],
)
def test_run_ends_where_it_leaves_the_physics(fault, within, left, slab, tmp_path):
    path, how = tmp_path / "state.npz", settings(steps=400)
    record, ending = run(slab, Broken(30, fault), how, path, within)
    log = log_of(record, ending)
    assert ending.left == left
    assert not ending.uncertain
    assert set(log["left"][:-1]) == {""}
    assert log["left"].iloc[-1] == left
    assert 0 < log["time_fs"].iloc[-1] < 800
    assert len(record.frames) == 1 + int((log["time_fs"].iloc[-1] - 1e-6) // 40)
    again, same = run(slab, Broken(30, fault), how, path, within)
    assert (same.left, same.done) == (left, ending.done)
    assert len(again.rows) == len(record.rows)


def test_a_run_that_was_left_goes_on_within_wider_limits(slab, tmp_path):
    path, narrow = tmp_path / "state.npz", Limits(5.0, 0.98, 100.0)
    _, ending = run(slab, EMT(), settings(), path, narrow)
    assert ending.left == "atoms too close"
    record, ending = run(slab, EMT(), settings(), path)
    assert ending.left == ""
    whole, _ = run(slab, EMT(), settings(), tmp_path / "other.npz")
    np.testing.assert_allclose(record.rows, whole.rows, rtol=1e-9, atol=1e-9)


def test_thermostat_may_change_the_energy(slab, tmp_path):
    _, ending = run(slab, Broken(30, lift), settings("langevin"), tmp_path / "state.npz")
    assert ending.left == ""


def test_run_ends_where_the_potential_refuses(slab, tmp_path):
    def refuse(results):
        raise DataError("frame: atoms 3 and 4 are on top of each other; correct it")

    record, ending = run(slab, Broken(31, refuse), settings(), tmp_path / "state.npz")
    assert ending.left.startswith("no energy: frame: atoms 3 and 4")
    assert ending.done == 30
    assert record.rows[-1].time_fs == 60.0


def test_a_run_that_was_stopped_goes_on_with_another_threshold(slab, in_files):
    """From the step before, as if it had not been stopped; with the same one it stays stopped."""

    def refuse(results):
        raise UncertaintyError("the energy is uncertain")

    def stopping(after, stop_above):
        calculator = BrokenSprings(after, refuse, slab.positions)
        calculator.stop_above = stop_above
        return calculator

    files, whole, how = in_files("a"), in_files("whole"), settings("langevin")
    ending = files.run(slab, stopping(31, 0.1), how)
    assert ending.uncertain
    assert (ending.done, ending.left) == (30, "uncertain: the energy is uncertain")
    again = stopping(31, 0.1)
    assert files.run(slab, again, how).uncertain
    assert again.count == 1, "the start alone"
    assert files.run(slab, stopping(1000, 0.2), how).left == ""
    whole.run(slab, Springs(slab.positions), how)
    assert files.bytes() == whole.bytes()


def test_closeness_is_the_least_share_over_periodic_images(slab, rng):
    slab.positions += 0.2 * rng.normal(size=slab.positions.shape)
    images = slab.repeat((3, 3, 1))
    distances = get_distances(slab.positions + slab.cell[0] + slab.cell[1], images.positions)[1]
    least = distances[distances > 1e-9].min()
    assert closeness(slab) == pytest.approx(least / (2 * covalent_radii[29]))


def test_closeness_of_many_is_that_of_all_pairs(rng, monkeypatch):
    """Over periodic images, of several species; none is close in a thin gas."""
    atoms = bulk("CuAu", "rocksalt", a=5.0, cubic=True).repeat((3, 3, 4))
    atoms.positions += 0.2 * rng.normal(size=atoms.positions.shape)
    atoms.pbc = (True, True, False)
    many = closeness(atoms)
    monkeypatch.setattr(limits, "MANY", 1000)
    assert len(atoms) > 200
    assert many == pytest.approx(closeness(atoms), rel=1e-12)
    monkeypatch.setattr(limits, "MANY", 0)
    assert closeness(Atoms("He2", [[0, 0, 0], [0, 0, 3]])) == np.inf
