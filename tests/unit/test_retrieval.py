"""Downloads from a server on loopback that behaves well, badly and maliciously."""

import hashlib
import io
import tarfile
import zipfile

import pytest
from servers import BODY, serving

from mekrr.data.retrieval import download, extract_member
from mekrr.errors import DataError

SHA256 = hashlib.sha256(BODY).hexdigest()
FAST = {"pause": 0.01, "timeout": 2.0}


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def address(server):
    return server.address


def test_good(address, tmp_path):
    target = tmp_path / "deep" / "file.xyz"
    download(f"{address}/good", target, SHA256, **FAST)
    assert target.read_bytes() == BODY
    assert [p.name for p in target.parent.iterdir()] == ["file.xyz"]


@pytest.mark.parametrize("kind", ["redirect", "busy", "breaks-no-range"])
def test_comes_through(address, tmp_path, kind):
    download(f"{address}/{kind}", tmp_path / "f", SHA256, **FAST)
    assert (tmp_path / "f").read_bytes() == BODY


def test_goes_on_where_it_broke_off(address, server, tmp_path):
    download(f"{address}/breaks", tmp_path / "f", SHA256, **FAST)
    assert (tmp_path / "f").read_bytes() == BODY
    start = int(server.seen[1][1].removeprefix("bytes=").rstrip("-"))
    assert 0.8 * len(BODY) / 3 < start <= len(BODY) / 3


def test_goes_on_after_silence(address, server, tmp_path):
    download(f"{address}/slow", tmp_path / "f", SHA256, pause=0.01, timeout=0.5)
    assert (tmp_path / "f").read_bytes() == BODY
    assert len(server.seen) == 2


def test_a_later_run_asks_for_the_rest_only(address, server, tmp_path):
    (tmp_path / "f.part").write_bytes(BODY[:777])
    download(f"{address}/good", tmp_path / "f", SHA256, **FAST)
    assert (tmp_path / "f").read_bytes() == BODY
    assert server.seen == [("/good", "bytes=777-")]


def test_a_complete_part_is_not_fetched_again(address, server, tmp_path):
    (tmp_path / "f.part").write_bytes(BODY)
    download(f"{address}/good", tmp_path / "f", SHA256, **FAST)
    assert (tmp_path / "f").read_bytes() == BODY
    assert len(server.seen) == 1


def test_a_part_longer_than_the_file_is_thrown_away(address, tmp_path):
    (tmp_path / "f.part").write_bytes(BODY[:777])
    download(f"{address}/short", tmp_path / "f", **FAST)
    assert (tmp_path / "f").read_bytes() == BODY[:100]


def test_gives_up_and_names_the_manual_way(address, tmp_path):
    target = tmp_path / "f"
    with pytest.raises(DataError, match=r"always-breaks: no download after 3 .*by hand .*/f$"):
        download(f"{address}/always-breaks", target, SHA256, attempts=3, **FAST)
    assert not target.exists()


def test_wrong_content_is_not_kept(address, tmp_path):
    with pytest.raises(DataError, match=r"sha256 of what arrived is .*expected .*by hand"):
        download(f"{address}/wrong", tmp_path / "f", SHA256, **FAST)
    assert list(tmp_path.iterdir()) == []


def test_missing_page_is_not_tried_again(address, server, tmp_path):
    with pytest.raises(DataError, match=r"answers 404 .*by hand and put it at"):
        download(f"{address}/nothing", tmp_path / "f", **FAST)
    assert len(server.seen) == 1


def test_no_address(tmp_path):
    with pytest.raises(DataError, match=r"^nowhere: no valid address .*by hand"):
        download("nowhere", tmp_path / "f", **FAST)


def test_no_network(tmp_path):
    with pytest.raises(DataError, match=r"^http://127\.0\.0\.1:9/f: no download after 2 attempts"):
        download("http://127.0.0.1:9/f", tmp_path / "f", attempts=2, **FAST)


def test_unknown_checksum_is_recorded_then_enforced(address, tmp_path):
    target = tmp_path / "f"
    download(f"{address}/good", target, **FAST)
    assert (tmp_path / "f.sha256").read_text().strip() == SHA256
    target.unlink()
    with pytest.raises(DataError, match=f"expected {SHA256}"):
        download(f"{address}/wrong", target, **FAST)
    download(f"{address}/good", target, **FAST)
    assert target.read_bytes() == BODY


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
