"""Data bases of ASE as their writers make them: every frame and label is read, damage refused."""

import gzip
import pickle
import sqlite3

import ase.db
import ase.io
import numpy as np
import pytest
import refusals
from samples import labelled

from mekrr.data import compression, databases
from mekrr.data.frames import read_frames, read_unlabelled
from mekrr.data.labels import energy_of
from mekrr.data.lmdb_file import LMDBFile
from mekrr.errors import DataError

lmdb = pytest.importorskip("lmdb")
pytest.importorskip("ase_db_backends")

KINDS = ["db", "json", "aselmdb"]


def database(path, frames):
    """A data base of frames, with other labels among their key-value pairs and data."""
    with ase.db.connect(path) as db:
        for k, atoms in enumerate(frames):
            pairs = {"run": k // 5, "other_energy": float(k)}
            data = {"other_forces": np.full((len(atoms), 3), float(k)), "sid": f"s{k}"}
            db.write(atoms, key_value_pairs=pairs, data=data | {"odd": [[1], [1, 2]]})
    return path


def refused(path, *words, **how):
    refusals.refused(path, str(path), *words, **how)


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_is_read(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(databases, "ROWS", 5)
    path = database(tmp_path / f"a.{kind}", labelled(12))
    frames = read_frames(path)
    for ours, theirs in zip(frames, labelled(12), strict=True):
        assert ours == theirs
        assert energy_of(ours) == energy_of(theirs)
        np.testing.assert_array_equal(ours.get_forces(), theirs.get_forces())
    assert [atoms.info["run"] for atoms in frames] == [0] * 5 + [1] * 5 + [2] * 2
    assert len(read_frames(f"{path}@3:7")) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_labels_by_key(tmp_path, kind):
    path = database(tmp_path / f"a.{kind}", labelled(12))
    frames = read_frames(path, energy_key="other_energy", forces_key="other_forces")
    assert [energy_of(atoms) for atoms in frames] == list(range(12))
    assert all((atoms.get_forces() == k).all() for k, atoms in enumerate(frames))
    assert read_unlabelled(path)[3].info["sid"] == "s3"
    refused(path, "has no energy, but it has other_energy", energy_key="none")


def test_a_row_that_was_deleted(tmp_path):
    path = database(tmp_path / "a.aselmdb", labelled(12))
    with ase.db.connect(path) as db:
        db.delete([4])
    expected = [energy_of(atoms) for k, atoms in enumerate(labelled(12)) if k != 3]
    assert [energy_of(atoms) for atoms in read_unlabelled(path)] == expected


def test_a_folder_of_several(tmp_path):
    (tmp_path / "all" / "deep").mkdir(parents=True)
    database(tmp_path / "all" / "1.aselmdb", labelled(12)[:4])
    database(tmp_path / "all" / "2.aselmdb", labelled(12)[4:9])
    database(tmp_path / "all" / "deep" / "3.aselmdb", labelled(12)[9:])
    expected = [energy_of(atoms) for atoms in labelled(12)]
    assert [energy_of(atoms) for atoms in read_unlabelled(tmp_path / "all")] == expected
    refused(tmp_path, "has no energy", energy_key="none")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "is a folder without *.aselmdb; give a file")


def test_compressed(tmp_path):
    database(tmp_path / "a.aselmdb", labelled(12))
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress((tmp_path / "a.aselmdb").read_bytes()))
    assert len(read_frames(path)) == 12
    database(tmp_path / "a.db", labelled(12))
    path.write_bytes(gzip.compress((tmp_path / "a.db").read_bytes()))
    refused(path, "read by its name only; unpack it first")


def test_pickles_are_left_alone(tmp_path):
    """As OC20 was given out at first."""
    path = tmp_path / "data.0000.lmdb"
    with lmdb.open(str(path), subdir=False, map_size=1 << 20) as env, env.begin(write=True) as txn:
        for k in range(3):
            txn.put(f"{k}".encode(), pickle.dumps({"pos": k}, protocol=-1))
        txn.put(b"length", pickle.dumps(3))
    refused(path, "pickled objects, as OC20 was given out at first; convert it to .aselmdb")


def test_other_data_bases(tmp_path):
    path = tmp_path / "a.lmdb"
    with lmdb.open(str(path), subdir=False, map_size=1 << 20) as env, env.begin(write=True) as txn:
        txn.put(b"name", b"value")
    refused(path, "not of ASE: it has a key 'name'")
    for table in ("TABLE t (id)", "VIEW systems AS SELECT 1"):
        path = tmp_path / f"{len(table)}.db"
        with sqlite3.connect(path) as file:
            file.execute(f"CREATE {table}")
        file.close()
        before = path.read_bytes()
        refused(path, "it has no table of systems")
        assert path.read_bytes() == before


@pytest.mark.parametrize("kind", [*KINDS, "traj"])
def test_cut_off(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "traj":
        ase.io.write(path, labelled(12))
    else:
        database(path, labelled(12))
    whole = path.read_bytes()
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        refused(path)


def test_damaged_bytes_end_in_one_line(tmp_path, rng):
    """And a tree of pages that leads back to itself in an end at all."""
    path = database(tmp_path / "a.aselmdb", labelled(40))
    whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    refusals = []
    for _ in range(150):
        damaged = whole.copy()
        damaged[rng.integers(len(whole), size=40)] = rng.integers(256, size=40)
        damaged[rng.integers(5) * 4096 + rng.integers(64, size=4)] = rng.integers(256, size=4)
        path.write_bytes(damaged.tobytes())
        try:
            assert len(read_unlabelled(path)) <= 40
        except DataError as error:
            refusals.append(str(error))
    assert len(refusals) > 50
    assert not any("\n" in message for message in refusals)


def test_a_row_that_unpacks_to_fill_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "ALWAYS_TAKEN", 1000)
    path = tmp_path / "a.aselmdb"
    frames = labelled(1)
    frames[0].info["x"] = 0
    with ase.db.connect(path) as db:
        db.write(frames[0], data={"x": "0" * 3_000_000})
    with pytest.raises(DataError, match=r"row 1: unpacks to more than \d+ bytes, 250 times its"):
        read_unlabelled(path)


def entries(path):
    with open(path, "rb") as stream:
        file = LMDBFile(stream)
        return [(key, file.value(begin, size)) for key, begin, size in file.entries()]


@pytest.mark.parametrize("n", [0, 1, 3000])
def test_entries_are_those_that_lmdb_has(tmp_path, rng, n):
    """Trees of several levels, values on pages of their own, and pages that were freed."""
    path = tmp_path / "a.lmdb"
    sizes = rng.choice([0, 5, 300, 3000, 20_000], p=[0.1, 0.5, 0.3, 0.05, 0.05], size=n)
    with lmdb.open(str(path), subdir=False, map_size=1 << 25) as env:
        with env.begin(write=True) as txn:
            for k, size in enumerate(sizes):
                txn.put(f"key {k}".encode() * rng.integers(1, 9), rng.bytes(size))
        with env.begin(write=True) as txn:
            for k in range(0, n, 3):
                txn.delete(f"key {k}".encode())
        with env.begin() as txn:
            expected = list(txn.cursor())
    assert entries(path) == expected
    assert n == 0 or len(expected) >= 2 * n // 3
