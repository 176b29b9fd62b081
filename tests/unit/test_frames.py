"""Reading frames: what is accepted, and one clear line for everything that is not."""

import gzip

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from samples import labelled

from mekrr.data.frames import (
    MINIMUM_FRAMES,
    frame_table,
    load_frames,
    read_frames,
    require_different,
    thin_out,
    verify_checksum,
    write_frames,
)
from mekrr.errors import DataError
from mekrr.files import sha256


def write(path, frames):
    ase.io.write(path, frames, format="extxyz")
    return path


def relabel(atoms):
    """A new energy after a change of geometry, which ASE takes to void the old one."""
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0)


def refused(path, *words):
    """Reading fails with one line that holds every word."""
    with pytest.raises(DataError) as caught:
        read_frames(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    for word in words:
        assert word in message, message
    return message


@pytest.mark.parametrize("suffix", ["extxyz", "extxyz.gz", "traj", "db"])
def test_formats(tmp_path, suffix):
    source = labelled()
    path = tmp_path / f"data.{suffix}"
    ase.io.write(path, source)
    frames = read_frames(path)
    assert len(frames) == 12
    for ours, theirs in zip(frames, source, strict=True):
        np.testing.assert_allclose(ours.positions, theirs.positions, atol=1e-8)
        assert ours.get_potential_energy() == pytest.approx(theirs.get_potential_energy())
        np.testing.assert_allclose(ours.get_forces(), theirs.get_forces(), atol=1e-8)


def test_names_with_spaces_at_signs_and_unicode(tmp_path):
    path = write(tmp_path / "my data@3 größe.extxyz", labelled())
    assert len(read_frames(path)) == 12


def test_table_and_round_trip(tmp_path):
    frames = read_frames(write(tmp_path / "a.extxyz", labelled()))
    table = frame_table(frames)
    assert list(table) == ["index", "frame", "run", "n_atoms", "formula", "energy"]
    assert table["run"].tolist() == [k // 4 for k in range(12)]
    assert (table["formula"] == "Cu4").all()
    write_frames(tmp_path / "b.extxyz", frames)
    again = load_frames(tmp_path / "b.extxyz")
    assert frame_table(again).equals(table)


def test_source_frame_numbers_are_kept(tmp_path):
    frames = labelled()
    for k, atoms in enumerate(frames):
        atoms.info["frame"] = 100 + 3 * k
    path = write(tmp_path / "a.extxyz", frames)
    assert frame_table(read_frames(path))["frame"].tolist() == list(range(100, 136, 3))


def test_three_parts(tmp_path):
    paths = {
        part: write(tmp_path / f"{part}.extxyz", labelled(n, seed=n))
        for part, n in (("train", 8), ("val", 3), ("test", 4))
    }
    frames = read_frames(paths)
    table = frame_table(frames)
    assert table["part"].tolist() == ["train"] * 8 + ["val"] * 3 + ["test"] * 4
    write_frames(tmp_path / "all.extxyz", frames)
    assert frame_table(load_frames(tmp_path / "all.extxyz")).equals(table)
    paths["val"].unlink()
    with pytest.raises(DataError, match=r"val\.extxyz: no such file"):
        read_frames(paths)


def test_missing_file(tmp_path):
    refused(tmp_path / "absent.extxyz", "no such file", "correct its path")


def test_truncated_extxyz(tmp_path):
    path = write(tmp_path / "cut.extxyz", labelled())
    path.write_text("\n".join(path.read_text().splitlines()[:-2]) + "\n")
    refused(path, "frame 11", "truncated or damaged")


def test_truncated_in_the_middle_of_a_line(tmp_path):
    path = write(tmp_path / "cut.extxyz", labelled())
    path.write_text(path.read_text()[:-40])
    refused(path, "frame 11", "truncated or damaged")


def test_truncated_gzip(tmp_path):
    path = write(tmp_path / "a.extxyz", labelled())
    packed = tmp_path / "a.extxyz.gz"
    packed.write_bytes(gzip.compress(path.read_bytes())[:-200])
    refused(packed, "truncated or damaged")


def test_frame_without_energy(tmp_path):
    frames = labelled()
    frames[5].calc = None
    refused(write(tmp_path / "a.extxyz", frames), "frame 5", "no energy", "in eV")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_energy_not_finite(tmp_path, value):
    frames = labelled()
    frames[3].calc = SinglePointCalculator(frames[3], energy=value)
    refused(write(tmp_path / "a.extxyz", frames), "frame 3", f"energy is {value}")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_position_not_finite(tmp_path, value):
    frames = labelled()
    frames[2].positions[1, 0] = value
    relabel(frames[2])
    refused(write(tmp_path / "a.extxyz", frames), "frame 2", "position of atom 1 is not finite")


def test_cell_not_finite(tmp_path):
    path = write(tmp_path / "a.extxyz", labelled())
    path.write_text(path.read_text().replace('Lattice="3.6', 'Lattice="nan', 1))
    refused(path, "frame 0", "cell is not finite")


def test_two_atoms_at_one_place(tmp_path):
    frames = labelled()
    frames[7].positions[3] = frames[7].positions[0] + frames[7].cell[1]  # an image
    relabel(frames[7])
    refused(write(tmp_path / "a.extxyz", frames), "frame 7", "atoms 0 and 3", "same place")


@pytest.mark.parametrize("cell", [np.zeros((3, 3)), [[1, 0, 0], [2, 0, 0], [0, 0, 5]]])
def test_periodic_cell_without_volume(tmp_path, cell):
    frames = labelled()
    frames[4].cell = cell
    relabel(frames[4])
    path = tmp_path / "a.traj"
    ase.io.write(path, frames)
    refused(path, "frame 4", "volume")


def test_molecule_without_cell_is_accepted(tmp_path):
    frames = []
    for k in range(10):
        atoms = Atoms("OH", positions=[[0, 0, 0], [0, 0, 0.97 + 0.01 * k]])
        atoms.calc = SinglePointCalculator(atoms, energy=-5.0 - k)
        frames.append(atoms)
    assert len(read_frames(write(tmp_path / "a.extxyz", frames))) == 10


def test_fewer_than_ten_frames(tmp_path):
    path = write(tmp_path / "a.extxyz", labelled(9))
    with pytest.raises(DataError, match="9 frames; at least 10 are needed to train, validate"):
        read_frames(path, least=MINIMUM_FRAMES)
    assert len(read_frames(path)) == 9
    write(path, labelled(1))
    refused(path, "1 frames; at least 2 are needed to fit a model")


def test_empty_file(tmp_path):
    path = tmp_path / "a.extxyz"
    path.write_text("")
    refused(path)


def test_no_trajectory_at_all(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not atoms\n" * 3)
    refused(path, "format that ASE does not know")


def test_run_on_some_frames_only(tmp_path):
    frames = labelled()
    del frames[0].info["run"]
    refused(write(tmp_path / "a.extxyz", frames), "only 11 of 12 frames state their run")


def isolated(symbol="Cu"):
    atoms = Atoms(symbol, cell=[12.0] * 3, pbc=True, info={"config_type": "isolated_atom"})
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0)
    return atoms


def test_isolated_atoms_belong_to_no_run_and_do_not_count(tmp_path):
    frames = [isolated(), *labelled(9), isolated("O")]
    path = write(tmp_path / "a.extxyz", frames)
    read = read_frames(path)
    assert [atoms.info.get("config_type") for atoms in (read[0], read[-1])] == ["IsolatedAtom"] * 2
    assert [atoms.info["run"] for atoms in read[1:-1]] == [a.info["run"] for a in frames[1:-1]]
    with pytest.raises(DataError, match="9 frames beside 2 isolated atoms; at least 10 are needed"):
        read_frames(path, least=10)


def test_checksum(tmp_path):
    path = write(tmp_path / "a.extxyz", labelled())
    verify_checksum(path, sha256(path))
    with pytest.raises(DataError, match="expected 000"):
        verify_checksum(path, "0" * 64)


def test_nothing_half_written(tmp_path, monkeypatch):
    def full_disk(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ase.io, "write", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_frames(tmp_path / "out.extxyz", labelled())
    assert list(tmp_path.iterdir()) == []


def test_every_third_frame():
    frames = labelled(40)
    assert thin_out(frames, 3, "a") == frames[::3]
    assert thin_out(frames, 1, "a") == frames


def test_frames_that_are_all_the_same():
    frames = labelled(12)
    require_different([*[frames[0]] * 11, frames[1]], "a")
    with pytest.raises(DataError, match=r"^a: all 12 frames are the same: nothing can be learnt"):
        require_different([frames[0].copy() for _ in range(12)], "a")


def test_too_few_frames_left():
    with pytest.raises(DataError, match=r"a: 8 of 40 frames are left; .* lower `every`"):
        thin_out(labelled(40), 5, "a")
