"""From a trajectory to the frames of the study, and what is said of them."""

import hashlib

import ase.io
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from samples import labelled

from mekrr.choices import PARTS
from mekrr.data.checks import GRAVE, Finding
from mekrr.data.frames import frame_table, load_frames, read_frames, write_frames
from mekrr.data.written import WrittenFrames
from mekrr.errors import DataError, DataWarning
from mekrr.study.preparation import read_splits, told_findings, write_checked


@pytest.fixture
def trajectory(tmp_path):
    """24 frames and, after them, a lone atom."""
    lone = Atoms("Cu")
    lone.calc = SinglePointCalculator(lone, energy=-1.5)
    lone.info["config_type"] = "IsolatedAtom"
    path = tmp_path / "frames.extxyz"
    ase.io.write(path, [*labelled(24), lone])
    return str(path)


def test_one_frame_in_so_many_and_no_lone_atom(trajectory, tmp_path):
    path = tmp_path / "out.extxyz"
    table = write_checked(path, [trajectory], {}, {}, 2)
    frames = load_frames(path)
    assert table["frame"].tolist() == list(range(0, 24, 2))
    assert table["index"].tolist() == list(range(12))
    assert [len(atoms) for atoms in frames] == table["n_atoms"].tolist()
    expected = [atoms.get_potential_energy() for atoms in labelled(24)[::2]]
    assert table["energy"].tolist() == pytest.approx(expected)
    assert set(table["isolated_Cu"]) == {-1.5}


def test_groups_are_those_of_the_key(trajectory, tmp_path):
    frames = ase.io.read(trajectory, ":")
    for k, atoms in enumerate(frames[:-1]):
        atoms.info["kind"] = ("slab", 7)[k % 2]
    ase.io.write(trajectory, frames)
    table = write_checked(tmp_path / "out.extxyz", [trajectory], {}, {"group_key": "kind"}, 1)
    assert table["group"].tolist() == ["slab", "7"] * 12
    del frames[5].info["kind"]
    ase.io.write(trajectory, frames)
    with pytest.raises(DataError, match=r"frames\.extxyz: frame 5: has no key kind; add it"):
        write_checked(tmp_path / "out.extxyz", [trajectory], {}, {"group_key": "kind"}, 1)


def test_how_many_frames_a_large_data_set_has_must_be_known(trajectory, tmp_path):
    path = tmp_path / "out.extxyz"
    with pytest.raises(DataError, match=r"24 frames, more than 20 .*: give `frames: 25`"):
        write_checked(path, [trajectory], {}, {}, 1, large=20)
    assert not path.exists()
    write_checked(path, [trajectory], {}, {}, 2, large=20)
    write_checked(path, [trajectory], {"frames": 25}, {}, 1, large=20)


def as_before(path, source, expected, every):
    """The same with all frames in memory."""
    read = [atoms for atoms in read_frames(source) if "config_type" not in atoms.info]
    kept = read[::every]
    for atoms, run in zip(kept, expected, strict=False):
        atoms.info["run"] = run
    offsets = write_frames(path, kept)
    return frame_table(kept).assign(offset=offsets)


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("divided", [True, False])
def test_streamed_as_if_in_memory(tmp_path, every, stated, divided):
    """Byte for byte, whatever numbers, runs and times the frames state."""
    frames = labelled(36)
    for k, atoms in enumerate(frames):
        del atoms.info["run"]
        if stated:
            atoms.info |= {"run": f"md {k // 7}", "frame": 3 * k + 10, "time_fs": 0.5 * k}
        else:
            atoms.info |= {"frame": 5} if k else {}
    parts = []
    for k in range(3):
        parts.append(str(tmp_path / f"{k}.extxyz"))
        ase.io.write(parts[-1], frames[12 * k : 12 * k + 12])
    whole = str(tmp_path / "whole.extxyz")
    ase.io.write(whole, frames)
    expected = {} if stated else {"runs": [0, 20]}
    files = parts if divided else [whole]
    table = write_checked(tmp_path / "streamed.extxyz", files, expected, {}, every)
    source = dict(zip(PARTS, parts, strict=True)) if divided else whole
    runs = [] if stated else [int(k >= 20) for k in range(0, 36, every)]
    plain = as_before(tmp_path / "plain.extxyz", source, runs, every)
    assert table.equals(plain)
    assert (tmp_path / "streamed.extxyz").read_bytes() == (tmp_path / "plain.extxyz").read_bytes()
    written = WrittenFrames(tmp_path / "streamed.extxyz", table["offset"])
    assert [written[k] for k in range(-1, len(written) - 1)] == [written[-1], *written[:-1]]
    assert list(written) == load_frames(tmp_path / "plain.extxyz")


def test_units_are_told_of_frames_on_disk(tmp_path):
    """As `read_frames` tells them, isolated atoms between runs left out."""
    lone = Atoms("Cu", info={"config_type": "IsolatedAtom", "run": 0})
    lone.calc = SinglePointCalculator(lone, energy=-1.5)
    frames = []
    for k in range(30):
        x = np.array([[0.0, 0, 0], [2.5 + 0.02 * np.sin(k), 0, 0]])
        forces = np.array([[1.0, 0, 0], [-1, 0, 0]]) * 5 * (x[1, 0] - 2.5)
        atoms = Atoms("Cu2", x, info={"run": 0})
        atoms.calc = SinglePointCalculator(
            atoms, energy=2.5 * (x[1, 0] - 2.5) ** 2, forces=forces / 51.422
        )
        frames.append(atoms)
    path = tmp_path / "a.extxyz"
    ase.io.write(path, [*frames[:10], lone, *frames[10:]])
    with pytest.warns(DataWarning) as told:
        write_checked(tmp_path / "b.extxyz", [str(path)], {}, {}, 2)
    with pytest.warns(DataWarning) as as_read:
        read_frames(str(path))
    assert [str(one.message) for one in told] == [str(one.message) for one in as_read]
    assert "forces were in Hartree/Bohr" in str(told[0].message)


def test_nothing_is_left_of_what_is_refused(trajectory, tmp_path):
    before = set(tmp_path.iterdir())
    for expected, every in (({"frames": 99}, 1), ({}, 20)):
        with pytest.raises(DataError):
            write_checked(tmp_path / "out.extxyz", [trajectory], expected, {}, every)
    assert set(tmp_path.iterdir()) == before


def test_another_file_is_refused(trajectory, tmp_path):
    path = tmp_path / "out.extxyz"
    with open(trajectory, "rb") as stream:
        right = hashlib.sha256(stream.read()).hexdigest()
    write_checked(path, [trajectory], {}, {}, 1, right)
    with pytest.raises(DataError, match=r"frames.extxyz.*0{64}"):
        write_checked(path, [trajectory], {}, {}, 1, "0" * 64)


def test_what_the_registry_says_must_hold(trajectory, tmp_path):
    with pytest.raises(DataError, match=r"frames.extxyz"):
        write_checked(tmp_path / "out.extxyz", [trajectory], {"frames": 99}, {}, 1)


def test_energies_outside_their_range_are_told(trajectory, tmp_path, caplog):
    write_checked(tmp_path / "out.extxyz", [trajectory], {"energy_range": [50.0, 60.0]}, {}, 1)
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
