"""From a trajectory to the frames of the study, and what is said of them."""

import hashlib

import ase.io
import pandas as pd
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from samples import labelled

from mekrr.data.checks import GRAVE, Finding
from mekrr.errors import DataError
from mekrr.study.preparation import checked_frames, read_splits, told_findings


@pytest.fixture
def trajectory(tmp_path):
    """24 frames and, after them, a lone atom."""
    lone = Atoms("Cu")
    lone.calc = SinglePointCalculator(lone, energy=-1.5)
    lone.info["config_type"] = "IsolatedAtom"
    path = tmp_path / "frames.extxyz"
    ase.io.write(path, [*labelled(24), lone])
    return str(path)


def test_one_frame_in_so_many_and_no_lone_atom(trajectory):
    frames, table = checked_frames([trajectory], {}, {}, 2)
    assert table["frame"].tolist() == list(range(0, 24, 2))
    assert [len(atoms) for atoms in frames] == table["n_atoms"].tolist()
    expected = [atoms.get_potential_energy() for atoms in labelled(24)[::2]]
    assert table["energy"].tolist() == pytest.approx(expected)


def test_another_file_is_refused(trajectory):
    with open(trajectory, "rb") as stream:
        right = hashlib.sha256(stream.read()).hexdigest()
    checked_frames([trajectory], {}, {}, 1, right)
    with pytest.raises(DataError, match=r"frames.extxyz.*0{64}"):
        checked_frames([trajectory], {}, {}, 1, "0" * 64)


def test_what_the_registry_says_must_hold(trajectory):
    with pytest.raises(DataError, match=r"frames.extxyz"):
        checked_frames([trajectory], {"frames": 99}, {}, 1)


def test_energies_outside_their_range_are_told(trajectory, caplog):
    checked_frames([trajectory], {"energy_range": [50.0, 60.0]}, {}, 1)
    assert "frames.extxyz" in caplog.text


def test_splits_by_their_names(tmp_path):
    for name, parts in (("run-0", ["train", "test"]), ("random-1", ["val", "train"])):
        pd.DataFrame({"split": parts}).to_csv(tmp_path / f"{name}.csv")
    splits = read_splits([str(tmp_path / "run-0.csv"), str(tmp_path / "random-1.csv")])
    assert {name: of.tolist() for name, of in splits.items()} == {
        "run-0": ["train", "test"],
        "random-1": ["val", "train"],
    }


def test_grave_findings_are_told_and_all_are_kept(caplog):
    grave = GRAVE[0]
    findings = [
        Finding("composition", "ok", "Cu2"),
        Finding(grave, "warning", "off by far"),
        Finding(grave, "note", "by little"),
    ]
    table = told_findings("mine", findings)
    assert table["result"].tolist() == ["Cu2", "off by far", "by little"]
    assert set(table["dataset"]) == {"mine"}
    assert [record.getMessage() for record in caplog.records] == [f"mine: {grave}: off by far"]
