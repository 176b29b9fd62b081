"""Writing files: what is replaced, what is written to, and what is refused beforehand."""

import errno
import os
import socket
import stat
import threading

import pytest

from mekrr import files
from mekrr.errors import OutputError
from mekrr.files import atomic_path, check_output, leftovers, scratch_folder, write_text


def left_by(process, name, random=16 * "a"):
    return f".{process}-{random}-{name}"


def test_fifo_is_written_to(tmp_path):
    fifo, got = tmp_path / "pipe.txt", []
    os.mkfifo(fifo)
    check_output(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_text()))
    reader.start()
    write_text(fifo, "words")
    reader.join(timeout=10)
    assert got == ["words"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe.txt"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_device_is_written_to(tmp_path):
    null = tmp_path / "null"
    try:
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        null.write_text("")
    except PermissionError:
        pytest.skip("no devices may be made or opened here")
    check_output(null, [null])
    write_text(null, "words")
    assert stat.S_ISCHR(null.stat().st_mode)
    assert os.listdir(tmp_path) == ["null"]


def test_links_stay_and_their_targets_are_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    write_text(tmp_path / "far/file", "old")
    for name, target in (("link", "far/file"), ("dangling", "far/new")):
        (tmp_path / name).symlink_to(target)
        check_output(tmp_path / name)
        write_text(tmp_path / name, "new")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / target).read_text() == "new"
    assert sorted(os.listdir(tmp_path / "far")) == ["file", "new"]


def test_descriptor_of_a_regular_file_is_written_to(tmp_path):
    with open(tmp_path / "file", "w+") as stream:
        write_text(f"/dev/fd/{stream.fileno()}", "words")
        assert os.fstat(stream.fileno()).st_ino == os.stat(tmp_path / "file").st_ino
        assert stream.read() == "words"


def test_a_file_that_is_mounted_is_written_to(tmp_path, monkeypatch):
    write_text(tmp_path / "file", "a longer text than the new one")

    def busy(*_):
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "replace", busy)
    write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
    assert os.listdir(tmp_path) == ["file"]


def test_modes(tmp_path):
    mask = os.umask(0o027)
    try:
        write_text(tmp_path / "new", "")
        os.chmod(tmp_path / "new", 0o604)
        write_text(tmp_path / "new", "replaced")
        write_text(tmp_path / "other", "")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o604
    assert stat.S_IMODE((tmp_path / "other").stat().st_mode) == 0o640


def test_planted_names_are_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr(files.secrets, "token_hex", lambda _: 16 * "a")
    (tmp_path / "victim").write_text("precious")
    (tmp_path / left_by(os.getppid(), "x")).symlink_to("victim")
    planted = tmp_path / left_by(os.getpid(), "out")
    monkeypatch.setattr(files, "remove_leftovers", lambda _: None)
    planted.symlink_to("victim")
    with pytest.raises(FileExistsError):
        write_text(tmp_path / "out", "new")
    assert (tmp_path / "victim").read_text() == "precious"


def test_temporary_names_differ_and_keep_the_suffix(tmp_path):
    seen = []
    for _ in range(2):
        with atomic_path(tmp_path / "t.csv") as temporary:
            assert temporary.parent == tmp_path
            temporary.write_text("")
            seen.append(temporary.name)
    assert len(set(seen)) == 2
    assert all(name.endswith(".csv") for name in seen)


def test_longest_name(tmp_path):
    path = tmp_path / (250 * "x" + ".txt")
    write_text(path, "words")
    with scratch_folder(path):
        assert path.read_text() == "words"


def test_leftovers_are_removed_where_they_are_ours_and_not_followed(tmp_path):
    """Also those of the same number as this process, as in a container."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").write_text("")
    (tmp_path / left_by(999_999_999, "out")).symlink_to("kept")
    (tmp_path / left_by(os.getpid(), "out")).write_text("half")
    (tmp_path / f"{left_by(999_999_999, 'out')}.parts").mkdir()
    other = tmp_path / left_by(999_999_999, "other")
    other.write_text("half")
    with atomic_path(tmp_path / "out") as temporary:
        temporary.write_text("outer")
        assert list(leftovers([temporary])) == []
        write_text(tmp_path / "out", "inner")
    assert sorted(os.listdir(tmp_path)) == sorted([other.name, "kept", "out"])
    assert (tmp_path / "out").read_text() == "outer"
    assert (tmp_path / "kept/file").exists()


def test_other_users_leftovers_stay(tmp_path, monkeypatch):
    path = tmp_path / left_by(999_999_999, "out")
    path.write_text("")
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    write_text(tmp_path / "out", "")
    assert path.exists()


def test_outputs_that_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_text("in", "words")
    os.symlink("in", "soft")
    os.link("in", "hard")
    os.symlink("loop", "loop")
    os.mkdir("folder")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for path, words in (
            ("", "is empty"),
            ("folder", "is a folder"),
            ("folder/", "is a folder"),
            ("absent/", "is a folder"),
            ("soft", "is an input"),
            ("hard", "is an input"),
            ("./folder/../in", "is an input"),
            ("socket", "is a socket"),
            ("loop", "symbolic links"),
            ("in/out", "Not a directory"),
            ("in/deeper/out", "Not a directory"),
            (300 * "x", "name too long"),
            ("/proc/out", "cannot be written"),
        ):
            with pytest.raises(OutputError, match=words):
                check_output(path, ["absent", "in"])
    for path in ("new", "far/away/new", "other-file"):
        check_output(path, ["in"])
    assert sorted(os.listdir()) == ["folder", "hard", "in", "loop", "socket", "soft"]


def test_read_only_places_are_refused(tmp_path, monkeypatch):
    """Root may write anywhere: what the system says to another user is put in its place."""
    write_text(tmp_path / "file", "")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="file: is read-only"):
        check_output(tmp_path / "file")

    def refused(**_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(files.tempfile, "TemporaryFile", refused)
    with pytest.raises(OutputError, match="Read-only file system"):
        check_output(tmp_path / "new")


def test_standard_input_is_an_input_too(tmp_path, monkeypatch):
    write_text(tmp_path / "in", "words")
    saved = os.dup(0)
    try:
        with open(tmp_path / "in") as stream:
            os.dup2(stream.fileno(), 0)
        with pytest.raises(OutputError, match="is an input"):
            check_output(tmp_path / "in", ["-"])
    finally:
        os.dup2(saved, 0)
        os.close(saved)
