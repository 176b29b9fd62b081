"""From files to frames: nothing is dropped, and every value is what the file says it is."""

import bz2
import gzip
import io
import lzma
import subprocess
import sys

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import Hookean
from refusals import refused
from samples import labelled

from mekrr.data import compression
from mekrr.data.frames import (
    frame_table,
    load_frames,
    read_frames,
    read_unlabelled,
    write_frames,
)
from mekrr.data.labels import energy_of, forces_of
from mekrr.errors import DataError, DataWarning

PACKERS = [gzip.compress, bz2.compress, lzma.compress]


def text_of(frames):
    stream = io.StringIO()
    ase.io.write(stream, frames, format="extxyz")
    return stream.getvalue()


TEXT = text_of(labelled())
FIRST, REST = text_of(labelled()[:6]), text_of(labelled()[6:])


def given(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def assert_as_written(frames):
    assert len(frames) == 12
    for ours, theirs in zip(frames, labelled(), strict=True):
        assert energy_of(ours) == energy_of(theirs)
        np.testing.assert_allclose(ours.positions, theirs.positions, atol=1e-8)
        np.testing.assert_allclose(ours.get_forces(), theirs.get_forces(), atol=1e-8)


@pytest.mark.parametrize(
    "text",
    [
        f"{FIRST}\n{REST}",
        f"{FIRST}\n \n\t\n{REST}\n\n",
        f"\ufeff{FIRST}\ufeff{REST}",
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", "\r"),
        TEXT.replace(" energy", " by=Müller energy").encode("latin-1"),
        TEXT.replace(" energy", ' stress="1 1 1 0 0 0" virial=none energy'),
        TEXT.replace(" energy", " dipole=unknown magmom=T energy"),
        TEXT.replace("forces:R:3", "forces:R:3:"),
    ],
)
def test_all_frames_are_read(tmp_path, text):
    assert_as_written(read_frames(given(tmp_path / "a.extxyz", text)))


@pytest.mark.parametrize("rubbish", ["x", "-- run 2 --", "4 4", "VEC1 1 0 0", "-1", "Cu 0 0 0"])
def test_rubbish_between_frames_is_named(tmp_path, rubbish):
    path = given(tmp_path / "a.extxyz", f"{FIRST}{rubbish}\n{REST}")
    refused(path, "frame 6: line 37", repr(rubbish), "number of atoms")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("4\n", "1000000000000\n", "1000000000000 atoms; a frame may have 10,000,000"),
        ("4\n", "3\n", "stands where the number of atoms"),
        ("4\n", "5\n", "has 1 columns where 7 should be"),
        (" energy", " " + "x" * (1 << 20) + " energy", "line 2 is longer than 1,048,576"),
        ("energy=", "energy=1 energy=", "line 2: states energy more than once"),
        ("Cu ", "Cu1 ", "line 3: 'Cu1' is no chemical symbol; write Cu"),
        ("Cu ", "D ", "'D' is no chemical symbol; write H"),
        ("pos:R:3", "pos:R:2", "columns where 6 should be"),
        ('pbc="T T T"', 'pbc="T T"', "pbc=[True, True]; write three of T and F"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, old, new, words):
    refused(given(tmp_path / "a.extxyz", TEXT.replace(old, new, 1)), "a.extxyz: ", words)


def test_utf_16(tmp_path):
    refused(given(tmp_path / "a.extxyz", TEXT.encode("utf-16")), "UTF-16", "save it as UTF-8")


def test_columns_of_names_with_colons(tmp_path):
    path = given(tmp_path / "a.extxyz", TEXT.replace("forces:R:3", "mtt::forces:R:3"))
    with pytest.warns(DataWarning, match="no frame has forces, but mtt::forces may be"):
        assert "forces" not in read_frames(path)[0].calc.results
    assert_as_written(read_frames(path, forces_key="mtt::forces"))


def test_odd_columns_are_kept_as_text(tmp_path):
    text = TEXT.replace("forces:R:3", "forces:R:3:odd:Q:1")
    lines = [f"{line} ?" if line.startswith("Cu") else line for line in text.splitlines()]
    path = given(tmp_path / "a.extxyz", "\n".join(lines))
    assert_as_written(read_frames(path))
    assert read_unlabelled(path)[0].arrays["odd"].tolist() == ["?"] * 4


@pytest.mark.parametrize(
    "name", ["OUTCAR-frames", "postgres_run", "my_POSCAR_frames.extxyz", "a.out", "a.json", "inp"]
)
def test_content_decides_the_format(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given(tmp_path / name, TEXT)
    assert_as_written(read_frames(name))


@pytest.mark.parametrize("name", ["a.GZ", "a.extxyz.gz", "a.BZ2", "a.xz", "frames"])
@pytest.mark.parametrize("pack", PACKERS)
def test_compressed_whatever_it_is_called(tmp_path, name, pack):
    assert_as_written(read_frames(given(tmp_path / name, pack(TEXT.encode()))))


@pytest.mark.parametrize("pack", PACKERS)
def test_compressed_to_fill_a_disk(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(compression, "ALWAYS_TAKEN", 1000)
    path = given(tmp_path / "a.extxyz.gz", pack(b"1\n" + b" " * 4_000_000))
    with pytest.raises(DataError, match=r"unpacks to more than \d+ bytes, 250 times its size"):
        read_frames(path)


def test_compressed_of_another_format(tmp_path):
    ase.io.write(tmp_path / "a.traj", labelled())
    path = given(tmp_path / "a.traj.gz", gzip.compress((tmp_path / "a.traj").read_bytes()))
    assert_as_written(read_frames(path))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"PK\x03\x04", "is a zip archive; unpack it first"),
        (b"\x28\xb5\x2f\xfd", "is compressed with zstd; unpack it first (zstd -d)"),
        (b"\0" * 257 + b"ustar", "is a tar archive"),
        (gzip.compress(b"\0" * 257 + b"ustar", mtime=0), "is a tar archive"),
        (b"", "is empty"),
    ],
)
def test_archives_are_named(tmp_path, head, words):
    refused(given(tmp_path / "a.extxyz", head), words)


def test_a_reader_that_finds_nothing(tmp_path):
    path = given(tmp_path / "aims.out", "  FHI-aims version 240507\n  Total energy: -1 eV\n" * 5)
    refused(path, "read as espresso-out, which finds no frame in it; name its `format` if")


def test_unread_lines(tmp_path):
    ase.io.write(tmp_path / "POSCAR", labelled()[0])
    path = given(tmp_path / "POSCAR", (tmp_path / "POSCAR").read_text() * 2)
    with pytest.warns(DataWarning, match="lines are left unread by the reader of vasp"):
        assert len(read_unlabelled(path)) == 1


def test_format_by_name(tmp_path):
    path = given(tmp_path / "a.extxyz", TEXT)
    assert_as_written(read_frames(path, format="extxyz"))
    refused(path, "format 'extxys' is unknown, did you mean 'extxyz'?", format="extxys")
    refused(path, "format 'postgresql' is unknown", format="postgresql")
    refused(path, "format 'py' can only be written", format="py")
    refused(path, "cannot be read as traj", format="traj")


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (":10", slice(10)),
        ("2:11:3", slice(2, 11, 3)),
        ("-3:", slice(-3, None)),
        ("::-2", slice(None, None, -2)),
        ("-1", slice(-1, None)),
        ("4", slice(4, 5)),
        (":", slice(None)),
    ],
)
def test_part_of_a_file(tmp_path, index, expected):
    path = given(tmp_path / "a@home.extxyz", TEXT)
    found = read_frames(f"{path}@{index}", least=1)
    assert [energy_of(a) for a in found] == [energy_of(a) for a in labelled()[expected]]


def test_index_and_names(tmp_path):
    given(tmp_path / "a@3", TEXT)
    assert len(read_frames(tmp_path / "a@3")) == 12
    path = given(tmp_path / "a.extxyz", TEXT.replace("energy=", "e=", 12))
    refused(f"{path}@7:", "frame 7: has no energy")
    refused(f"{path}@50", "has no frame of that index")
    refused(f"{path}@::0", "step of an index cannot be 0")


def test_several_files_and_standard_input(tmp_path, monkeypatch):
    plain = labelled()
    for atoms in plain:
        del atoms.info["run"]
    one = given(tmp_path / "1.extxyz", text_of(plain[:6]))
    packed = io.BytesIO(gzip.compress(text_of(plain[6:]).encode()))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(packed))
    frames = read_frames([one, "-"])
    assert_as_written(frames)
    assert frame_table(frames)["run"].tolist() == [0] * 6 + [1] * 6


def test_nothing_is_left_of_a_killed_process(tmp_path):
    """Plain copies of compressed files have no name."""
    ase.io.write(tmp_path / "a.traj", labelled())
    given(tmp_path / "a.traj.gz", gzip.compress((tmp_path / "a.traj").read_bytes()))
    (tmp_path / "tmp").mkdir()
    code = (
        "import os; from mekrr.data.reading import iter_frames\n"
        f"next(iter_frames({str(tmp_path / 'a.traj.gz')!r})); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], env={"TMPDIR": str(tmp_path / "tmp")}, check=False)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("T", "True is true or false"),
        ("-1.0D+03", "'-1.0D+03' has Fortran's D exponent; write E"),
        ("********", "too wide for its Fortran format"),
        ('"1 2"', "[1 2] is not one number"),
        ("unknown", "'unknown' is no number"),
    ],
)
def test_energies_that_cannot_be_used(tmp_path, value, words):
    text = TEXT.splitlines()
    text[1] = text[1].replace("energy=", f"energy={value} was=")
    path = given(tmp_path / "a.extxyz", "\n".join(text))
    refused(path, "frame 0: energy is there but cannot be used: ", words)
    assert energy_of(read_unlabelled(path)[0]) is None


def test_complex_and_withheld_energies():
    from mekrr.data.labels import check_energy

    atoms = labelled()[0]
    atoms.calc.results["energy"] = 1 + 2j
    with pytest.raises(DataError, match="complex number"):
        check_energy(atoms, "frame")
    atoms = labelled()[0]
    atoms.positions += 0.1
    with pytest.raises(DataError, match="frame was changed after its energy"):
        check_energy(atoms, "frame")


def test_springs_are_no_part_of_the_energy(tmp_path):
    frames = labelled()
    for atoms in frames:
        atoms.set_constraint(Hookean(0, 1, rt=0.5, k=10.0))
    assert abs(frames[0].get_potential_energy() - energy_of(frames[0])) > 1
    path = tmp_path / "a.traj"
    ase.io.write(path, frames)
    for atoms, plain in zip(read_frames(path), labelled(), strict=True):
        assert energy_of(atoms) == plain.calc.results["energy"]
        np.testing.assert_allclose(atoms.get_forces(), plain.calc.results["forces"])


def test_keys_by_name(tmp_path):
    text = TEXT.replace("energy=", "energy=7 REF_energy=")
    text = text.replace("forces:R:3", "REF_forces:R:3")
    path = given(tmp_path / "a.extxyz", text)
    with pytest.warns(DataWarning, match="no frame has forces, but REF_forces may be; if so, name"):
        assert energy_of(read_frames(path)[0]) == 7
    assert_as_written(read_frames(path, energy_key="REF_energy", forces_key="REF_forces"))
    refused(path, "has no energy, but it has REF_energy", energy_key="dft_energy")
    refused(path, "no frame has forces 'DFT_forces'", "REF_forces", forces_key="DFT_forces")
    for key, words in (("energy_key", "no frame has energy 'E0'"), ("forces_key", "forces 'E0'")):
        with pytest.raises(DataError, match=words):
            read_unlabelled(path, **{key: "E0"})


def test_forces_that_cannot_be_used(tmp_path):
    lines = TEXT.splitlines()
    lines[2] = " ".join([*lines[2].split()[:-1], "*****"])
    refused(given(tmp_path / "a.extxyz", "\n".join(lines)), "frame 0: forces are there", "'*****'")
    lines[2] = lines[2].replace("*****", "nan")
    refused(
        given(tmp_path / "a.extxyz", "\n".join(lines)),
        "frame 0: forces are there but cannot be used: that of atom 0 is",
    )


def test_forces_missing_in_some_frames(tmp_path, recwarn):
    """They count for energies only; it is said once, in which file and of how many frames."""
    frames = labelled()
    for k in (4, 9):
        frames[k].calc = SinglePointCalculator(frames[k], energy=-100.0)
    alone = Atoms("Cu", info={"config_type": "IsolatedAtom", "run": 0})
    alone.calc = SinglePointCalculator(alone, energy=-20.0)
    path = given(tmp_path / "a.extxyz", text_of([*frames, alone]))
    read = read_frames(path)
    (warning,) = [one for one in recwarn if issubclass(one.category, DataWarning)]
    assert str(warning.message) == (
        f"{path}: 2 of 12 frames have no forces (the first of them is frame 4); "
        "they count for energies only"
    )
    assert [k for k, atoms in enumerate(read) if forces_of(atoms) is None] == [4, 9, 12]
    assert [energy_of(atoms) for atoms in read[:12]] == [energy_of(atoms) for atoms in frames]
    # As the study keeps them.
    write_frames(tmp_path / "b.extxyz", read)
    kept = load_frames(tmp_path / "b.extxyz")
    assert [k for k, atoms in enumerate(kept) if forces_of(atoms) is None] == [4, 9, 12]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (["1", "2", "3"], [1, 2, 3]),
        (["md-300K", "md-500K", "md-300K"], [0, 1, 0]),
        (["1.7", "1.2", "1.7"], [0, 1, 0]),
        (["b", "1", "b"], [0, 1, 0]),
        (["2.0", "2", "5"], [2, 2, 5]),
    ],
)
def test_runs_are_numbers_or_labels(tmp_path, stated, expected):
    frames = labelled(3)
    text = "".join(
        text_of([a]).replace("run=0", f"run={r}") for a, r in zip(frames, stated, strict=True)
    )
    table = frame_table(read_frames(given(tmp_path / "a.extxyz", text)))
    assert table["run"].tolist() == expected


@pytest.mark.parametrize("value", ["T", '"1 2"', "nan"])
def test_runs_that_are_neither(tmp_path, value):
    path = given(tmp_path / "a.extxyz", TEXT.replace("run=0", f"run={value}"))
    refused(path, "frame 0: run=", "neither a number nor a label")


def test_numbers_of_frames_are_whole(tmp_path):
    frames = labelled(3)
    for k, atoms in enumerate(frames):
        atoms.info |= {"frame": 5 + 0.7 * k, "time_fs": True}
    table = frame_table(read_frames(given(tmp_path / "a.extxyz", text_of(frames))))
    assert table["frame"].tolist() == [0, 1, 2]
    assert "time_fs" not in table
