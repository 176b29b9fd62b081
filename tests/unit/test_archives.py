"""Archives that are sound, damaged, encrypted, ambiguous, or made to fill the disk."""

import bz2
import errno
import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile

import pytest
from servers import BODY

from mekrr.data import compression
from mekrr.errors import DataError
from mekrr.study import archives
from mekrr.study.archives import extract_member


@pytest.fixture(params=["tgz", "zip"])
def archive(request, tmp_path):
    path = tmp_path / f"data.{request.param}"
    if request.param == "zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("split/train.extxyz", BODY)
            file.writestr("../../evil", b"x")
        return path
    with tarfile.open(path, "w:gz") as file:
        for name, body in (("split/train.extxyz", BODY), ("../../evil", b"x")):
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            file.addfile(entry, io.BytesIO(body))
        link = tarfile.TarInfo("link.extxyz")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(link)
    return path


def test_member_is_extracted_to_the_target_alone(archive, tmp_path):
    target = tmp_path / "out" / "train.extxyz"
    extract_member(archive, "split/train.extxyz", target)
    assert target.read_bytes() == BODY
    extract_member(archive, "train.extxyz", target)  # its name alone will do
    assert target.read_bytes() == BODY
    extract_member(archive, "../../evil", tmp_path / "out" / "harmless")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["harmless", "train.extxyz"]


def test_missing_member_is_named_with_what_there_is(archive, tmp_path):
    with pytest.raises(DataError, match=r"no members 'val'; .*: split/train\.extxyz"):
        extract_member(archive, "val", tmp_path / "out")


def test_links_are_refused(archive, tmp_path):
    if archive.suffix == ".zip":
        pytest.skip("zip members are bytes")
    with pytest.raises(DataError, match=r"'link\.extxyz' is not a regular file"):
        extract_member(archive, "link.extxyz", tmp_path / "out")


def test_damaged_archive(archive, tmp_path):
    archive.write_bytes(archive.read_bytes()[:-3000])
    with pytest.raises(DataError, match="damaged archive"):
        extract_member(archive, "split/train.extxyz", tmp_path / "out")
    assert not (tmp_path / "out").exists()


TAR_KINDS = {"tgz": "gz", "tar.bz2": "bz2", "tar.xz": "xz"}


def packed(path, members):
    """An archive of the kind that the file's name tells, of (name, content) in order."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, body in members:
                file.writestr(name, body)
        return path
    kind = path.name.partition(".")[2]
    with tarfile.open(path, f"w:{TAR_KINDS.get(kind, '')}") as file:
        for name, body in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            file.addfile(entry, io.BytesIO(body))
    return path


def refused(archive, words, member="train"):
    target = archive.with_name("out")
    with pytest.raises(DataError, match=words) as caught:
        extract_member(archive, member, target)
    message = str(caught.value)
    assert message.startswith(f"{archive}: ")
    assert message.isprintable()
    assert sorted(p.name for p in archive.parent.iterdir()) == [archive.name]


@pytest.mark.parametrize("name", ["a.tgz", "a.tar.bz2", "a.tar.xz", "a.zip"])
def test_one_byte_of_the_content_changed(tmp_path, name):
    """Stored as it is in gzip and zip, so that only the checksum at the end can tell."""
    body = os.urandom(5000)
    archive = packed(tmp_path / name, [("other", b"x" * 100), ("train", body)])
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    archive.write_bytes(data)
    refused(archive, "damaged archive")


def test_change_after_the_member_in_the_last_bytes_of_gzip(tmp_path):
    archive = packed(tmp_path / "a.tgz", [("train", BODY)])
    data = bytearray(archive.read_bytes())
    data[-6] ^= 1  # the checksum itself
    archive.write_bytes(data)
    refused(archive, "damaged archive .*CRC")


@pytest.mark.parametrize(("compress", "suffix"), [(gzip, "tgz"), (bz2, "tar.bz2")])
def test_joined_streams(tmp_path, compress, suffix):
    """Parallel compressors write several; every one is read."""
    data = packed(tmp_path / "a.tar", [("train", BODY), ("other", b"x")]).read_bytes()
    archive = tmp_path / f"a.{suffix}"
    archive.write_bytes(compress.compress(data[:1000]) + compress.compress(data[1000:]))
    extract_member(archive, "train", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == BODY


def test_tar_that_ends_with_a_zip_is_a_tar(tmp_path):
    inner = packed(tmp_path / "inner.zip", [("train", b"of the inner")]).read_bytes()
    archive = packed(tmp_path / "a.tar", [("train", BODY), ("inner.zip", inner)])
    extract_member(archive, "train", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == BODY


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["a.tgz", "a.zip"])
@pytest.mark.parametrize("twin", ["train", "./train"])
def test_member_that_is_there_twice(tmp_path, name, twin):
    archive = packed(tmp_path / name, [("train", b"one"), (twin, b"two")])
    refused(archive, "has 2 members 'train'; .*unpack it by hand and give the file as `path`")


def test_names_cannot_steer_the_terminal(tmp_path):
    archive = packed(tmp_path / "a.tgz", [("\x1b[2Jboo\n", b"x")])
    refused(archive, r"has no members 'train'.*: \\x1b\[2Jboo\\n$")


def test_encrypted_zip(tmp_path):
    archive = packed(tmp_path / "a.zip", [("train", BODY)])
    data = bytearray(archive.read_bytes())
    for magic, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(magic) + offset] |= 1
    archive.write_bytes(data)
    refused(archive, "member 'train' is encrypted; unpack it by hand")


def test_unknown_method_of_packing(tmp_path):
    archive = packed(tmp_path / "a.zip", [("train", BODY)])
    data = bytearray(archive.read_bytes())
    for magic, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        data[data.index(magic) + offset] = 99
    archive.write_bytes(data)
    refused(archive, "cannot be unpacked here .*compression method.*unpack it by hand")


def test_zip_without_regular_file(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        link = zipfile.ZipInfo("train")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("val/", b"")
    refused(archive, "'train' is not a regular file")
    refused(archive, "'val' is not a regular file", member="val")


@pytest.mark.parametrize("name", ["a.tgz", "a.tar.bz2", "a.tar.xz", "a.zip"])
def test_bomb(tmp_path, monkeypatch, name):
    monkeypatch.setattr(compression, "ALWAYS_TAKEN", 1000)
    archive = packed(tmp_path / name, [("train", bytes(4_000_000))])
    refused(archive, r"unpacks to more than \d+ bytes, 250 times its size")


def test_sparse_bomb(tmp_path):
    """Of a few hundred bytes that stand for a terabyte."""
    entry = tarfile.TarInfo("train")
    entry.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"00000000000\x00" * 2
    header[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    archive = tmp_path / "a.tar"
    archive.write_bytes(bytes(header) + bytes(1024))
    refused(archive, "unpacks to more than")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        b"PK\3\4" + bytes(100),
        b"\x1f\x8b",
        b"\x1f\x8b\x08\x00" + bytes(40),
        b"BZh9" + bytes(40),
        b"\xfd7zXZ\x00" + bytes(40),
        b"7z\xbc\xaf\x27\x1c" + bytes(600),
        b"text\n" * 300,
        gzip.compress(b"no tar", mtime=0),
        struct.pack("<100I", *range(100)),
    ],
)
def test_no_archive(tmp_path, data):
    archive = tmp_path / "a"
    archive.write_bytes(data)
    refused(archive, "damaged archive")


def test_no_room_is_not_blamed_on_the_archive(tmp_path, monkeypatch):
    def full(path, mode):
        if "w" in mode:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return open(path, mode)

    archive = packed(tmp_path / "a.tgz", [("train", BODY)])
    monkeypatch.setattr(archives, "open", full, raising=False)
    with pytest.raises(OSError, match="No space"):
        extract_member(archive, "train", tmp_path / "out")
