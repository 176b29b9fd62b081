"""Molecular dynamics: energy conserved, taken up exactly, ended where it leaves the physics."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import fcc111
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.data import covalent_radii
from ase.geometry import get_distances

from mekrr.errors import DataError
from mekrr.study.experiments.molecular_dynamics import engine
from mekrr.study.experiments.molecular_dynamics.engine import Settings, simulate
from mekrr.study.experiments.molecular_dynamics.facts import (
    against_truth,
    bond_lengths,
    read_facts,
    summaries,
)
from mekrr.study.experiments.molecular_dynamics.limits import Limits, closeness
from mekrr.study.plots.molecular_dynamics import draw
from mekrr.study.plots.style import save
from mekrr.study.tables.molecular_dynamics import grids

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


def walk(times, energies, symbols="Cu2", step=0.0):
    """Frames with given energies whose two atoms drift apart."""
    frames = []
    for k, (time, energy) in enumerate(zip(times, energies, strict=True)):
        atoms = Atoms(symbols, positions=[[0, 0, 0], [0, 0, 2.5 + step * k]], cell=[9.0] * 3)
        atoms.pbc = True
        forces = [[0, 0, 0.3], [0, 0, -0.3]]
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        atoms.info["time_fs"] = time
        frames.append(atoms)
    return frames


class Flat(Calculator):
    """An energy without forces."""

    implemented_properties = ("energy", "forces")

    def calculate(self, *arguments):
        super().calculate(*arguments)
        self.results = {"energy": 1.0, "forces": np.zeros((len(self.atoms), 3))}


def test_errors_are_those_against_the_true_potential():
    counted = []
    table = against_truth(walk([0.0, 10.0], [1.5, 0.5]), Flat(), counted.append)
    assert table["time_fs"].tolist() == [0.0, 10.0]
    assert (table["energy"] - table["true_energy"]).tolist() == [0.5, -0.5]
    np.testing.assert_allclose(table["force_mse"], 2 * 0.3**2 / 6)
    assert sum(counted) == 2


def test_bonds_are_those_of_the_first_frame_over_periodic_images():
    frames = walk([0.0, 1.0, 2.0], [0.0] * 3, step=0.1)
    for atoms in frames:
        atoms.positions += [0, 0, 8.0]
        atoms.wrap()
        atoms.append("O")
        atoms.positions[2] = atoms.positions[0] + [1.2, 0, 0]
        atoms.append("H")  # of no bond
        atoms.positions[3] = atoms.positions[0] + [-3.0, 0, 0]
    found = bond_lengths(frames)
    assert list(dict.fromkeys(found["bond"])) == ["O–Cu", "Cu–Cu"]
    assert found.loc[found["bond"] == "O–Cu", "count"].tolist() == [3]
    lengths = found[found["bond"] == "Cu–Cu"]
    np.testing.assert_allclose(lengths["length"], [2.5, 2.6, 2.7], atol=1e-9)
    assert lengths["count"].tolist() == [1, 1, 1]


def facts(shift=0.0, drift=0.0, wrong=(0.0, 0.0, 0.0, 0.0), left="", method="DIEP"):
    """Log, errors and bonds of a run by hand: 3 ps, two atoms."""
    times = np.arange(4) * 1000.0
    labels = {"dataset": "mine", "ensemble": "NVE", "method": method, "backbone": "none"}
    log = {
        "time_fs": times,
        "total_energy": -7.0 + 2e-3 * drift * times / 1000,
        "temperature_K": [290.0, 300.0, 310.0, 320.0],
        "left": ["", "", "", left],
    }
    energy = 2e-3 * np.array(wrong)
    errors = {
        "time_fs": times,
        "n_atoms": 2,
        "energy": energy - 5.0,
        "true_energy": -5.0,
        "force_mse": [0.01, 0.03, 0.01, 0.03],
    }
    lengths = np.arange(1.0, 1.2, 0.002) + shift
    bonds = {"bond": "N–N", "length": lengths, "count": np.arange(len(lengths)) % 3}
    return [pd.DataFrame(labels | table) for table in (log, errors, bonds)]


def together(*runs):
    return [pd.concat(tables, ignore_index=True) for tables in zip(*runs, strict=True)]


def test_summary_of_series_made_by_hand():
    own = facts(0.03, -1.5, (4.0, 6.0, 18.0, 0.0), "too hot", "GAP-SOAP")
    table = summaries(*together(own, facts()), tolerance=10.0).set_index("method")
    ours, true = table.loc["GAP-SOAP"], table.loc["DIEP"]
    assert ours["drift"] == pytest.approx(-1.5)
    assert ours["temperature"] == pytest.approx(305.0)
    assert ours["N–N (Å)"] == pytest.approx(0.03, abs=1e-6)
    assert ours["energy_mae"] == pytest.approx(np.mean([3, 1, 11, 7]))
    assert ours["energy_rmse"] == pytest.approx(np.std([4, 6, 18, 0]))
    assert ours["force_rmse"] == pytest.approx(1000 * np.sqrt(0.02))
    assert (ours["ps"], ours["left"], ours["true_ps"]) == (3.0, "too hot", 2.0)
    assert (true["left"], true["true_ps"], true["energy_mae"]) == ("", 3.0, 0.0)
    assert true["N–N (Å)"] == pytest.approx(0.0, abs=1e-12)


def test_files_hold_what_the_summary_needs(tmp_path):
    """A run that came to its end has no reason, which reads as no text at all."""
    files = []
    for name, tables in zip("leb", zip(facts(), facts(method="SchNet"), strict=True), strict=True):
        files.append([str(tmp_path / f"{name}{k}.csv") for k in range(2)])
        for path, table in zip(files[-1], tables, strict=True):
            table.to_csv(path, index=False)
    read = summaries(*read_facts(*files), tolerance=10.0)
    assert read["left"].tolist() == ["", ""]
    made = summaries(*together(facts(), facts(method="SchNet")), tolerance=10.0)
    pd.testing.assert_frame_equal(read, made)


def test_no_drift_where_a_thermostat_acts():
    tables = together(facts(drift=3.0))
    for table in tables:
        table["ensemble"] = "NVT"
    assert summaries(*tables, tolerance=10.0)["drift"].isna().all()


def test_printed_table_says_why_a_run_ended():
    own = facts(0.03, -1.5, (4.0, 6.0, 18.0, 0.0), "too hot", "GAP-SOAP")
    table = summaries(*together(own, facts()), tolerance=10.0)
    (grid,) = grids(table, {"mine": {"title": "Mine"}}, {})
    assert grid.title == "Mine, NVE"
    true, ours = grid.rows
    assert (true.stub[0], ours.stub[0]) == ("DIEP", "GAP-SOAP")
    assert ours.cells[-1].value == "too hot"
    assert [cell.value for cell in ours.cells[:4]] == ["3.00", "2.00", "305", "-1.50"]
    assert [cell.value for cell in true.cells[4:]] == ["–"] * 5


def test_figure_shows_every_run(tmp_path):
    own = facts(0.03, -1.5, (4.0, 6.0, 18.0, 0.0), "too hot", "GAP-SOAP")
    figure = draw(*together(own, facts()), 10.0, 3.0, {}, "Mine, NVE")
    total, _, error, bonds, empty, reached = figure.axes
    assert len(total.lines) == 2
    np.testing.assert_allclose(total.lines[1].get_ydata(), [0.0, -1.5, -3.0, -4.5])
    np.testing.assert_allclose(error.lines[0].get_ydata(), [0.0, 2.0, 14.0, -4.0], atol=1e-9)
    assert bonds.get_xlabel() == "N–N bond (Å)"
    assert not empty.axison
    assert [text.get_text() for text in reached.texts] == ["too hot"]
    assert [bar.get_width() for bar in reached.patches] == [3.0, 3.0]
    save(figure, [str(tmp_path / "figure.png")])
