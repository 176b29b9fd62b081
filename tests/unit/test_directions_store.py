"""Derivatives along directions in files: those in memory, whatever the shards."""

import numpy as np
import pytest
import torch
from repulsive import Repulsive
from safetensors.numpy import load_file
from samples import labelled

from mekrr.backbones.analytic.adapter import AnalyticBackbone
from mekrr.data.labels import forces_of, slopes_along
from mekrr.errors import DataError
from mekrr.features.directions import directions_of, extract_directions_to, gather_directions
from mekrr.features.directions_store import FrameDirections, read_directions, read_vectors
from mekrr.features.store import merge_shards, read_provenance

LAYERS = [1, 2]
HOW = {
    "batch_size": {"cpu": 1},
    "device": torch.device("cpu"),
    "atoms": {"within": 2.6, "of": ["O"]},
    "source": "d",
}
RECORD = {"backbone": "b", "weights_sha256": "w"}


@pytest.fixture
def frames():
    """Seven frames of two sizes; one of two has no direction."""
    small = labelled(7)
    frames = [atoms.repeat((1 + k % 2, 1, 1)) for k, atoms in enumerate(small)]
    for atoms in frames:
        atoms.symbols[0] = "O"
    return frames


@pytest.fixture
def directions(frames):
    return [directions_of(atoms, 3 * (k % 2), None) for k, atoms in enumerate(frames)]


def write(path, frames, directions, backbone=None, rule="3"):
    backbone = backbone or Repulsive("r")
    extract_directions_to(
        path, backbone, frames, directions, LAYERS, provenance=RECORD | {"directions": rule}, **HOW
    )
    return path


def assert_same(found: FrameDirections, expected: FrameDirections):
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), values)


def test_files_hold_what_is_gathered_in_memory(tmp_path, frames, directions):
    path = write(tmp_path / "d", frames, directions)
    expected = gather_directions(Repulsive("r"), frames, directions, LAYERS, **HOW)
    n_atoms = expected[1].n_atoms
    assert n_atoms.max() < len(frames[1]), "a rule selects some atoms"
    for layer in LAYERS:
        found = read_directions(path, layer)
        assert isinstance(found.derivatives, np.memmap)
        assert found.derivatives.dtype == np.float32
        assert_same(found, expected[layer])
        assert found.of(1).shape == (3, n_atoms[1], found.derivatives.shape[1])
    for vectors, given in zip(read_vectors(path), directions, strict=True):
        np.testing.assert_array_equal(vectors, given)
    assert load_file(path)["vectors"].dtype == np.float64
    assert read_provenance(path) == RECORD | {"directions": "3", "device": "cpu"}


def test_merged_shards_are_the_whole(tmp_path, frames, directions, monkeypatch):
    monkeypatch.setattr("mekrr.tensors.BLOCK", 8)
    cuts = [slice(0, 1), slice(1, 4), slice(4, 7)]  # of the first no frame has a direction
    shards = [write(tmp_path / str(k), frames[cut], directions[cut]) for k, cut in enumerate(cuts)]
    merge_shards(tmp_path / "all", shards)
    assert (tmp_path / "all").read_bytes() == write(
        tmp_path / "whole", frames, directions
    ).read_bytes()


def test_shards_along_other_directions_are_refused(tmp_path, frames, directions):
    shards = [write(tmp_path / rule, frames, directions, rule=rule) for rule in "34"]
    with pytest.raises(DataError, match="made with other directions than"):
        merge_shards(tmp_path / "all", shards)


def test_a_network_without_energy_has_no_slopes(tmp_path, frames, directions):
    path = write(tmp_path / "d", frames, directions, AnalyticBackbone("a"))
    assert read_directions(path, 1).network is None
    with pytest.raises(DataError, match="has no layer 3, only 1, 2"):
        read_directions(path, 3)


def test_no_frame_with_a_direction(tmp_path, frames):
    none = [np.zeros((0, len(atoms), 3)) for atoms in frames]
    path = write(tmp_path / "d", frames, none)
    found = read_directions(path, 2)
    assert found.counts.tolist() == [0] * 7
    assert len(found.derivatives) == len(found.network) == 0
    assert [v.shape for v in read_vectors(path)] == [v.shape for v in none]


def test_slopes_are_those_of_the_forces():
    frames = labelled(3)
    directions = [directions_of(atoms, 2, None) for atoms in frames]
    directions[1] = directions[1][:0]
    forces = [forces_of(frames[0]), None, forces_of(frames[2])]
    expected = [-(v * forces[k]).sum() for k in (0, 2) for v in directions[k]]
    np.testing.assert_allclose(slopes_along(directions, forces), expected, rtol=1e-12)
