"""Extracting and storing features."""

import numpy as np
import pytest
import tolerances as tol
import torch
from samples import labelled

from mekrr import provenance
from mekrr.backbones import load_backbone
from mekrr.errors import DataError
from mekrr.features.extract import extract
from mekrr.features.store import read_gnn_energy, read_layer, read_provenance, write_features


@pytest.fixture
def stored(tmp_path, rng):
    path = tmp_path / "f.safetensors"
    layers = {1: rng.normal(size=(5, 3)).astype(np.float32), 2: np.ones((5, 4), np.float32)}
    write_features(
        path,
        layers,
        np.array([29, 1, 29, 8, 1]),
        np.array([0, 2, 5]),
        np.array([-1.0, -2.0]),
        {"torch": "x"},
    )
    return path, layers


def test_round_trip(stored):
    path, layers = stored
    frames = read_layer(path, 1)
    np.testing.assert_array_equal(frames.features, layers[1])
    assert frames.species.tolist() == [29, 1, 29, 8, 1]
    assert frames.n_atoms.tolist() == [2, 3]
    assert read_gnn_energy(path).tolist() == [-1.0, -2.0]
    assert read_provenance(path) == {"torch": "x"}


def test_select_keeps_the_order_asked_for(stored):
    frames = read_layer(stored[0], 1).select([1, 0])
    assert frames.species.tolist() == [29, 8, 1, 29, 1]
    assert frames.pointer.tolist() == [0, 3, 5]


def test_unknown_layer_is_named(stored):
    with pytest.raises(DataError, match="has no layer 3, only 1, 2"):
        read_layer(stored[0], 3)


def test_damaged_file_is_named(stored):
    path, _ = stored
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DataError, match=r"damaged feature file .*; delete it and run again"):
        read_layer(path, 1)


def test_batch_size_changes_nothing(rng):
    frames = labelled(7)
    backbone = load_backbone("analytic", "analytic")
    one, _ = extract(backbone, frames, 1, torch.device("cpu"))
    many, energy = extract(backbone, frames, 5, torch.device("cpu"))
    assert energy is None
    for layer, features in one.items():
        assert features.dtype == np.float32
        assert features.shape[0] == 28
        np.testing.assert_allclose(many[layer], features, atol=tol.BATCH)


def test_provenance_names_what_decides_the_numbers():
    record = provenance.collect()
    for key in ("mekrr", "torch", "sevenn", "chgnet", "python", "git", "cpu"):
        assert record[key]
        assert record[key] != "not installed"
