"""Data sets from an address: through the whole workflow, from a server on loopback."""

import hashlib
import io
import shutil
import tarfile

import pytest
import yaml
from servers import serving


@pytest.fixture
def frames(project):
    return project.data.read_bytes()


def point_at(project, url, **keys):
    entry = {"download": {"url": url, "file": "frames.extxyz"} | keys}
    project.config["datasets"]["mine"] = entry
    project.config["study"] |= {"splits": ["random"], "seeds": [0]}
    return entry["download"]


def test_download_check_and_split(project, frames):
    digest = hashlib.sha256(frames).hexdigest()
    with serving(frames) as server:
        point_at(project, f"{server.address}/breaks", sha256=digest)
        result = project.run("results/data/mine/splits/random-0.csv")
    assert result.returncode == 0, result.stderr
    downloaded = project.folder / "results" / "downloads" / digest[:12] / "frames.extxyz"
    assert downloaded.read_bytes() == frames
    assert (project.folder / "results/data/mine/frames.csv").is_file()


def test_member_of_an_archive(project, frames):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as file:
        entry = tarfile.TarInfo("deep/train.extxyz")
        entry.size = len(frames)
        file.addfile(entry, io.BytesIO(frames))
    with serving(packed.getvalue()) as server:
        point_at(project, f"{server.address}/good", file="a.tgz", member="deep/train.extxyz")
        result = project.run("results/data/mine/frames.csv")
    assert result.returncode == 0, result.stderr


def test_no_network_names_the_manual_way_which_then_works(project, frames):
    digest = hashlib.sha256(frames).hexdigest()
    with serving() as server:
        point_at(project, f"{server.address}/nothing", sha256=digest)
        result = project.run("results/data/mine/frames.csv")
        (line,) = {x for x in result.stderr.splitlines() if x.startswith("mekrr: ")}
        place = f"results/downloads/{digest[:12]}/frames.extxyz"
        assert result.returncode != 0
        assert f"{server.address}/nothing: the server answers 404" in line
        assert f"by hand and put it at {place}" in line
        (project.folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(project.data, project.folder / place)
        result = project.run("results/data/mine/frames.csv")
    assert result.returncode == 0, result.stderr


def test_wrong_file_put_by_hand_is_refused(project, frames):
    digest = hashlib.sha256(frames).hexdigest()
    point_at(project, "http://127.0.0.1:9/frames", sha256=digest)
    place = project.folder / f"results/downloads/{digest[:12]}/frames.extxyz"
    place.parent.mkdir(parents=True)
    place.write_bytes(frames + b"x")
    result = project.run("results/data/mine/frames.csv")
    assert result.returncode != 0
    assert f"expected {digest}" in result.stderr


def test_paper_overlay_resolves_without_network(project):
    project.config = yaml.safe_load((project.folder / "config/paper.yaml").read_text())
    jobs = project.planned()
    assert jobs["check_frames"] == 1
    assert jobs["download"] == 2, "frames and the weights of OC20's SchNet"
