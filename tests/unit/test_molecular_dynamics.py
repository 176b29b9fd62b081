"""What is told of runs of molecular dynamics: errors, bonds, a summary, a table, a figure."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator

from mekrr.study.experiments.molecular_dynamics.facts import (
    against_truth,
    bond_lengths,
    read_facts,
    summaries,
)
from mekrr.study.plots.molecular_dynamics import draw
from mekrr.study.plots.style import save
from mekrr.study.tables.molecular_dynamics import grids


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
