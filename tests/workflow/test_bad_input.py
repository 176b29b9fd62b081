"""Bad input through the whole workflow: one line that says what to do, nothing half-written."""

import ase.io
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from samples import labelled


def refused(project, *words, target=()):
    """The run fails with one line of ours on stderr that holds every word.

    ``target`` is a file to be made, where it is far from all of them that meets the fault.
    """
    result = project.run(*target)
    assert result.returncode != 0
    lines = [line for line in result.stderr.splitlines() if line.startswith("mekrr: ")]
    assert lines, result.stderr
    assert len(set(lines)) == 1, lines
    for word in words:
        assert word in lines[0], lines[0]
    assert "Traceback" not in result.stderr
    return result


def write(project, frames):
    ase.io.write(project.data, frames, format="extxyz")


def assert_no_data(project):
    data = project.folder / "results" / "data" / "mine"
    assert not data.exists() or list(data.iterdir()) == []


def test_missing_file(project):
    project.data.unlink()
    refused(project, "datasets.mine.path", "my frames.extxyz", "no such file")


def test_truncated_file(project):
    project.data.write_text(project.data.read_text()[:-40])
    refused(project, "my frames.extxyz: frame 23", "truncated or damaged")
    assert_no_data(project)


def test_frame_without_energy(project):
    frames = labelled(24)
    frames[5].calc = None
    write(project, frames)
    refused(project, "frame 5", "no energy")
    assert_no_data(project)


def test_wrong_checksum(project):
    project.config["datasets"]["mine"]["sha256"] = "0" * 64
    refused(project, "my frames.extxyz", "expected 000")
    assert_no_data(project)


def test_element_unknown_to_the_backbone(project):
    frames = labelled(24)
    for atoms in frames:
        energy = atoms.get_potential_energy()
        atoms.numbers[0] = 118
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
    write(project, frames)
    project.config["study"]["backbones"] = ["chgnet-0.3.0"]
    features = ["results/features/mine/chgnet-0.3.0.safetensors"]
    refused(project, "mine: frame 0", "'chgnet-0.3.0' does not know Og", target=features)
    assert not (project.folder / "results/features/mine").exists() or not list(
        (project.folder / "results/features/mine").iterdir()
    )


def test_empty_split(project):
    frames = labelled(24)
    for atoms in frames:
        atoms.info["run"] = 0
    write(project, frames)
    project.config["study"]["splits"] = ["run"]
    split = ["results/data/mine/splits/run-0.csv"]
    refused(project, "mine: split 'run' leaves val empty", target=split)


def test_layer_that_the_backbone_lacks(project):
    project.config["backbones"]["toy"]["layers"] = [1, 2, 9]
    kernels = ["results/kernels/mine/random-0/toy.safetensors"]
    refused(project, "has no layer 9, only 1, 2", target=kernels)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(studdy={}), ("config: studdy: unknown key",)),
        (lambda c: c["study"].update(seeds="0"), ("config: study.seeds", "type array")),
        (lambda c: c["study"].update(datasets=["mnie"]), ("'mnie'", "did you mean 'mine'?")),
        (lambda c: c["study"].update(backbones=["schnet"]), ("'schnet'", "known: ")),
    ],
)
def test_config(project, change, words):
    change(project.config)
    refused(project, *words)
    assert not (project.folder / "results").exists()
