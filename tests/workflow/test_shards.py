"""Features in the workflow: shards, selection of atoms, weights from a file."""

import ase.io
import numpy as np
from ase.constraints import FixAtoms

from mekrr.features.store import read_layer, read_provenance


def features(project):
    result = project.run("features")
    assert result.returncode == 0, result.stdout + result.stderr
    return project.folder / "results/features/mine/toy.safetensors"


def test_shards_give_the_features_of_one_job(project, finished):
    project.config["datasets"]["mine"]["frames"] = 24
    project.config["features"] = {"shard_frames": 10}
    assert project.planned("features")["extract_features"] == 3
    path = features(project)
    whole = finished.folder / "results/features/mine/toy.safetensors"
    for layer in (1, 2):
        ours, expected = read_layer(path, layer), read_layer(whole, layer)
        np.testing.assert_array_equal(ours.features, expected.features)
        np.testing.assert_array_equal(ours.pointer, expected.pointer)
    assert [p.name for p in path.parent.rglob("*") if p.is_file()] == ["toy.safetensors"], "shards"


def test_lost_shard_alone_is_made_again(project):
    """A run killed between shards goes on with those that lack."""
    project.config["datasets"]["mine"]["frames"] = 24
    project.config["features"] = {"shard_frames": 10}
    shards = "results/features/mine/toy/{}-of-3.safetensors"
    result = project.run("--notemp", *(shards.format(k) for k in range(3)))
    assert result.returncode == 0, result.stderr
    (project.folder / shards.format(1)).unlink()
    assert project.planned("features")["extract_features"] == 1


def test_fixed_atoms_left_out(project):
    frames = ase.io.read(project.data, index=":")
    for atoms in frames:
        atoms.set_constraint(FixAtoms([0]))
    ase.io.write(project.data, frames, format="extxyz")
    project.config["features"] = {"atoms": "mobile", "dtype": "float16"}
    path = features(project)
    assert set(read_layer(path, 2).n_atoms) == {3}
    assert read_provenance(path)["atoms"] == '"mobile"'


def test_rule_that_selects_nothing_is_one_line(project):
    project.config["features"] = {"atoms": {"species": ["Au"]}}
    result = project.run("features")
    assert result.returncode != 0
    assert "mekrr: error: mine: frame 0: no atom is selected" in result.stderr


def test_missing_weights_are_named_before_anything_runs(project):
    project.config["backbones"]["toy"] |= {"family": "schnet", "weights": {"path": "gone.pt"}}
    result = project.run("features")
    assert result.returncode != 0
    assert "backbones.toy.weights.path: gone.pt: no such file" in result.stderr


def test_option_that_a_family_does_not_take_is_named(project):
    project.config["backbones"]["toy"]["options"] = {"cutof": 5}
    result = project.run("features")
    assert result.returncode != 0
    assert "config: backbones.toy.options.cutof: unknown key; known: none" in result.stderr
