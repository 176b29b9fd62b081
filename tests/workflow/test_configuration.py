"""A configuration that cannot be meant is one line before anything runs; paths in it may move."""

import json
import os
import subprocess
import sys

import pytest
import yaml


def dry_run(project, *overlays):
    """A dry run with some overlays as they are."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--configfile", *overlays],
        cwd=project.folder,
        env=os.environ | {"PYTHONPATH": str(project.folder / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def assert_refused(project, result, words):
    assert result.returncode != 0
    (line,) = {x for x in result.stderr.splitlines() if x.startswith("mekrr: ")}
    assert words in line
    assert "Traceback" not in result.stderr
    assert not (project.folder / "results").exists()


LISTS = "a0: &a0 [1]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("study:\n  seeds: [0]\ngrid: {}\nstudy:\n  seeds: [1]\n", "line 4: key `study` is on lin"),
        (LISTS, "values, with those that anchors repeat"),
    ],
)
def test_overlay_that_snakemake_takes_in_silence(project, text, words):
    (project.folder / "good.yaml").write_text(yaml.safe_dump(project.config))
    (project.folder / "bad.yaml").write_text(text)
    result = dry_run(project, "bad.yaml", "good.yaml")
    assert_refused(project, result, f"bad.yaml: {words}" if "line 4" in words else words)


def test_key_that_is_there_twice_in_a_file_of_ours(project):
    path = project.folder / "config/networks.yaml"
    path.write_text(path.read_text() + "\nnetworks: {}\n")
    assert_refused(project, project.run("--dry-run"), "config/networks.yaml: line")


def test_two_networks_of_one_method(project):
    project.config["study"]["networks"] = ["schnet", "wide"]
    networks = yaml.safe_load((project.folder / "config/networks.yaml").read_text())["networks"]
    project.config["networks"] = {"wide": networks["schnet"]}
    assert_refused(project, project.run("--dry-run"), "schnet and wide have one method, 'SchNet'")


def test_paths_by_the_home_folder_and_a_variable(project):
    """Found in every job, and recorded without the place."""
    project.config["datasets"]["mine"]["path"] = f"~/{project.data.name}"
    project.config["datasets"]["other"] = {"path": f"${{PLACE}}/{project.data.name}"}
    project.config["study"]["datasets"] = ["mine", "other"]
    place = str(project.folder)
    targets = ("results/data/mine/frames.csv", "results/data/other/frames.csv")
    result = project.run(*targets, HOME=place, PLACE=place)
    assert result.returncode == 0, result.stderr
    for name in ("mine", "other"):
        record = project.folder / f"results/provenance/data/{name}/frames.csv.json"
        assert project.data.name in json.loads(record.read_text())["inputs"]
        assert place not in record.read_text()
    result = project.run(*targets, "--dry-run", HOME=place)
    assert "datasets.other.path: ${PLACE}/my frames.extxyz: the environment has no" in result.stderr
