"""Downloads from a server on loopback that behaves well, badly and maliciously."""

import hashlib
from types import SimpleNamespace

import pytest
from servers import BODY, serving

from mekrr.errors import DataError
from mekrr.study import retrieval
from mekrr.study.retrieval import download

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


@pytest.mark.parametrize(
    "kind",
    ["redirect", "busy", "busy-429", "being-made", "breaks-no-range", "no-length", "odd-length"],
)
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


@pytest.mark.parametrize(
    "kind", ["good", "breaks", "capped", "chunked", "chunked-cut", "being-made"]
)
def test_comes_through_without_a_checksum(address, tmp_path, kind):
    download(f"{address}/{kind}", tmp_path / "f", **FAST)
    assert (tmp_path / "f").read_bytes() == BODY
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f", "f.sha256"]


@pytest.mark.parametrize("kind", ["changes", "changes-unseen"])
@pytest.mark.parametrize("sha256", [None, hashlib.sha256(BODY[::-1]).hexdigest()])
def test_two_versions_are_never_joined(address, server, tmp_path, kind, sha256):
    download(f"{address}/{kind}", tmp_path / "f", sha256, **FAST)
    assert (tmp_path / "f").read_bytes() == BODY[::-1]
    assert server.seen[1][1] is not None, "the rest was asked for"


def test_what_nothing_tells_from_another_version_is_not_continued(address, server, tmp_path):
    (tmp_path / "f.part").write_bytes(BODY[::-1][:777])
    download(f"{address}/good", tmp_path / "f", **FAST)
    assert (tmp_path / "f").read_bytes() == BODY
    assert server.seen == [("/good", None)]


def test_a_part_of_another_version_is_found_by_the_checksum(address, server, tmp_path):
    (tmp_path / "f.part").write_bytes(BODY[::-1][:777])
    download(f"{address}/good", tmp_path / "f", SHA256, **FAST)
    assert (tmp_path / "f").read_bytes() == BODY
    assert server.seen == [("/good", "bytes=777-"), ("/good", None)]


@pytest.mark.parametrize("kind", ["whole-as-rest", "whole-as-rest-unsaid", "another-rest"])
def test_another_part_than_asked_for_is_not_appended(address, tmp_path, kind):
    """The version is right and the checksum unknown: only Content-Range tells."""
    (tmp_path / "f.part").write_bytes(BODY[:777])
    (tmp_path / "f.part.version").write_text('"1"')
    with pytest.raises(DataError, match="another part than it was asked for"):
        download(f"{address}/{kind}", tmp_path / "f", attempts=1, **FAST)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("empty", "the answer is empty"),
        ("no-content", "the server answers 204 No Content; get it by hand"),
        ("page", "the server sends text/html, not the file; it may want a login"),
        ("page-unsaid", "the server sends a web page, not the file"),
        ("encoded", r"sends the file encoded \(gzip\), though asked not to"),
        ("no-length", "does not say how long the file is, .* give its `sha256`, or get it by"),
        ("odd-length", "does not say how long the file is"),
        ("length-too-long", "no download after 1 attempts"),
        ("chunked-cut", "no download after 1 attempts"),
        ("redirect-to-file", "no valid address"),
        ("rude", r"answers 403 go\\x1b\[31m away"),
    ],
)
def test_what_is_not_the_file_is_not_taken_for_it(address, tmp_path, kind, words):
    with pytest.raises(DataError, match=words) as caught:
        download(f"{address}/{kind}", tmp_path / "f", attempts=1, **FAST)
    assert "\n" not in str(caught.value)
    assert not {"f", "f.sha256"} & {p.name for p in tmp_path.iterdir()}


def test_length_too_short_is_found_by_the_checksum(address, tmp_path):
    with pytest.raises(DataError, match="sha256 of what arrived is"):
        download(f"{address}/length-too-short", tmp_path / "f", SHA256, **FAST)


def test_damaged_record_of_a_checksum(address, tmp_path):
    (tmp_path / "f.sha256").write_bytes(b"\xff\x00")
    with pytest.raises(DataError, match=r"f\.sha256: damaged record .*delete it"):
        download(f"{address}/good", tmp_path / "f", **FAST)


def test_damaged_version_of_a_part_is_unknown(address, server, tmp_path):
    (tmp_path / "f.part").write_bytes(BODY[:777])
    (tmp_path / "f.part.version").write_bytes(b'"1"\r\nHost: evil')
    download(f"{address}/good", tmp_path / "f", **FAST)
    assert server.seen == [("/good", None)]


def test_a_file_larger_than_the_disk(address, tmp_path, monkeypatch):
    monkeypatch.setattr(retrieval.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match=f"{len(BODY)} bytes to come, 1000 are free .*make room"):
        download(f"{address}/good", tmp_path / "f", **FAST)


def test_https_is_not_left_without_a_checksum(tmp_path):
    hops = [SimpleNamespace(url="https://a.org/f"), SimpleNamespace(url="http://b.org/f")]
    answer = SimpleNamespace(
        url="https://c.org/f", history=hops, headers={"Content-Length": "5", "Content-Type": ""}
    )
    with pytest.raises(DataError, match="leads to an address without https"):
        retrieval._require_trustworthy(answer, "https://a.org/f", tmp_path / "f.part", "by hand")
    hops.pop()
    retrieval._require_trustworthy(answer, "https://a.org/f", tmp_path / "f.part", "by hand")
